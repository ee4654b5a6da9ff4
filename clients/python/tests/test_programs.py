"""The commands that run programs, as at a terminal."""

from __future__ import annotations

import base64
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from terminal import Terminal
from test_streams import PIXEL, SHOW

import vivarium
from conftest import URL

Command = Callable[..., CompletedProcess[str]]


# ---- run ---------------------------------------------------------------------------------------

PROGRAMS = {
    "prints": "import sys\nprint('out')\nprint('err', file=sys.stderr)\n42",
    "raises": "raise ValueError('no')",
    "exits": "import sys\nsys.exit(3)",
    "exits with words": "import sys\nsys.exit('a message')",
    "reads lines": "import sys\nfor line in sys.stdin: print(line.strip().upper())",
    "reads all": "import sys\nprint(len(sys.stdin.read()))",
    "asks": "name = input()\nprint('Hello', name)",
    "asks for more than there is": "input()\ninput()\ninput()",
    "has arguments": "import sys\nprint(sys.argv[1:], __name__)",
    "ends hard": "import os\nos._exit(9)",
    "is killed": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "does not compile": "def (",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_run_is_like_python(command: Command, tmp_path: Path, name: str) -> None:
    """The same output and exit code; the last line of standard error."""
    (tmp_path / "program.py").write_text(PROGRAMS[name])
    arguments = ["program.py", "one", "--two"] if name == "has arguments" else ["program.py"]
    text = "first\nsecond\n"
    python = subprocess.run(
        ["/usr/bin/python3", *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    code = python.returncode if python.returncode >= 0 else 128 - python.returncode
    done = command("run", *arguments, input=text)
    assert (done.returncode, done.stdout) == (code, python.stdout), done.stderr
    last = python.stderr.splitlines()[-1:]
    assert name == "is killed" or done.stderr.splitlines()[-1:] == last


def test_run_takes_code_from_elsewhere(command: Command) -> None:
    assert command("run", "-c", "print(6 * 7)").stdout == "42\n"
    assert command("run", "-c", "import sys; print(sys.argv)", "a", "b").stdout == "['-c', 'a', 'b']\n"
    assert command("run", "-", input="print('piped')").stdout == "piped\n"
    for wrong, message in {(): "run what?", ("none.py",): "none.py", ("-",): "no program"}.items():
        done = command("run", *wrong, input="")
        assert done.returncode == 125 and message in done.stderr and "Traceback" not in done.stderr


def test_run_files_and_limits(command: Command, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("abc")
    code = "open('out.txt', 'w').write(open('data/in.txt').read().upper())"
    done = command("run", "--file", "in.txt=data/in.txt", "--get", "out.txt=got.txt", "-c", code)
    assert done.returncode == 0 and (tmp_path / "got.txt").read_text() == "ABC"
    done = command("run", "--get", "none.txt", "-c", "1")
    assert done.returncode == 125 and "none.txt" in done.stderr
    done = command("run", "--timeout", "1", "-c", "print('on')\nwhile True: pass")
    assert (done.returncode, done.stdout) == (137, "on\n") or done.returncode != 0
    assert "stopped: timeout: wall_time" in done.stderr or "stopped: " in done.stderr


def test_run_saves_pictures(command: Command, tmp_path: Path) -> None:
    done = command("run", "--pictures", "shown", "-c", SHOW + SHOW)
    assert done.returncode == 0, done.stderr
    for number in (1, 2):
        assert f"picture saved to shown/picture-{number}.png" in done.stderr
        assert (tmp_path / "shown" / f"picture-{number}.png").read_bytes() == base64.b64decode(PIXEL)


def test_run_uses_a_session_and_leaves_it(command: Command) -> None:
    with vivarium.Client(URL) as client, client.create_session() as session:
        assert command("run", "--session", session.id, "-c", "x = 41").returncode == 0
        assert session.execute("x").result == "41"
        before = len(client.sessions())
        assert command("run", "-c", "1").returncode == 0
        assert len(client.sessions()) == before


def test_run_at_a_terminal(terminal: Callable[..., Terminal]) -> None:
    one = terminal("run", "-c", "for i in range(3): print('got', input('name? '))")
    for name in ("Ada", "Grace", "Edsger"):
        one.expect(r"name\? $")
        one.enter(name)
        one.expect(f"got {name}\n")
    assert one.end() == 0


def test_run_interrupted(terminal: Callable[..., Terminal]) -> None:
    one = terminal("run", "-c", "print('on')\nwhile True: pass")
    one.expect("on\n")
    one.interrupt()
    one.expect("KeyboardInterrupt\n")
    assert one.end() == 130
    two = terminal("run", "-c", "input('? ')")
    two.expect(r"\? $")
    two.interrupt()
    two.expect("KeyboardInterrupt\n")
    assert two.end() == 130


# ---- repl --------------------------------------------------------------------------------------


def test_repl(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    one = terminal("repl")
    one.expect(r"Python 3[^>]*>>> ")
    one.enter("def double(x):")
    one.expect(r"\.\.\. ")
    one.enter("    return 2 * x")
    one.expect(r"\.\.\. ")
    one.enter("")
    one.expect(">>> ")
    one.enter("double(21)")
    one.expect("\n42\n>>> ")
    one.enter("1 / 0")
    one.expect("ZeroDivisionError: division by zero\n>>> ")
    one.enter("def (")
    one.expect("SyntaxError.*\n>>> ")
    one.enter("print('Hello', input('who? '))")
    one.expect(r"who\? $")
    one.enter("Ada")
    one.expect("Hello Ada\n>>> ")
    one.enter("while True: pass")
    one.expect(r"\.\.\. ")
    one.enter("")
    time.sleep(0.5)  # nothing shows that it runs
    one.interrupt()
    one.expect("KeyboardInterrupt\n>>> ")
    one.enter("x = 1")
    one.expect(">>> ")
    one.enter("%vars")
    one.expect("double: function = .*\nx: int = 1\n>>> ")
    one.enter("%undo")
    one.expect(r"undone; \d more can be\n>>> ")
    one.enter("x")
    one.expect("NameError: name 'x' is not defined\n>>> ")
    one.enter("%nonsense")
    one.expect("there is no %nonsense; %help lists what there is\n>>> ")
    one.enter(SHOW.strip().replace("\n\n", "\n    pass\n\n", 1).splitlines()[0])
    for line in SHOW.strip().splitlines()[1:]:
        one.expect(r"(\.\.\.|>>>) ")
        one.enter(line)
    one.expect("picture saved to picture-1.png\n>>> ")
    assert (tmp_path / "picture-1.png").read_bytes()[:4] == b"\x89PNG"
    one.type("half a li")
    one.interrupt()
    one.expect("KeyboardInterrupt\n>>> ")
    one.enter("exit(4)")
    assert one.end() == 4
    two = terminal("repl")
    two.expect(">>> ")
    two.type("\x10")  # the line before: of the first one's history
    two.expect(r"exit\(4\)")
    two.type("\x15\x04")
    assert two.end() == 0


def test_repl_from_a_pipe(command: Command) -> None:
    text = "x = 20\nfor i in range(2):\n    print(i)\n\nprint(input('? '))\na line\nx + 22\n"
    done = command("repl", input=text)
    assert done.returncode == 0
    shown = re.sub(r">>> |\.\.\. |\? ", "", done.stdout)
    assert shown.split("\n")[1:] == ["0", "1", "a line", "42", "", ""]


def test_repl_names_a_session_that_is_none(command: Command) -> None:
    done = command("repl", "--session", "no-such", input="")
    assert done.returncode == 1 and "There is no session of this id." in done.stderr

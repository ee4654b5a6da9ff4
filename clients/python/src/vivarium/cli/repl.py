"""vivarium repl."""

from __future__ import annotations

import argparse
import codeop
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import Client, Session
from ..errors import Conflict
from ..models import Result
from . import options
from .program import Program, exit_code, say, session_for

DESCRIPTION = """\
A Python prompt in a sandbox. A cell is complete when Python would run it; an empty line
ends an indented one. Ctrl-C interrupts what runs, Ctrl-D or exit() leaves. Pictures that
are displayed are saved to files.
"""
EPILOG = """\
at the prompt:
  %undo    back to before the last cell       %vars    what is defined
  %reset   begin anew, keep the files         %files   what files there are
  %help    this list
"""
HELP = EPILOG.partition("\n")[2]
HISTORY_LINES = 5000
LEAVE = ("exit", "quit", "exit()", "quit()")  # to a result, exit() is an end like any other


def add_parser(commands: Any) -> None:
    """Its options."""
    parser = commands.add_parser(
        "repl",
        help="a Python prompt",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--timeout", type=options.positive, metavar="SECONDS", help="a cell's wall time (30)")
    options.add_session_options(parser)
    parser.set_defaults(act=act)


def act(client: Client, given: argparse.Namespace) -> int:
    """Read cells until there are no more."""
    info = client.info()
    with session_for(client, given) as session, history():
        print(f"Vivarium {info.version}, Python {info.python_version}; %help helps, Ctrl-D leaves")
        return Repl(session, given.pictures, given.timeout).loop()


class Repl:
    """One prompt on one session."""

    def __init__(self, session: Session, pictures: Path, timeout: float | None) -> None:
        self._session = session
        self._program = Program(session, pictures, by_lines=True)
        self._timeout = timeout

    def loop(self) -> int:
        """The exit code: 0, or that of the program's sys.exit()."""
        while True:
            try:
                code = read_cell()
                if code.strip() in LEAVE:
                    return 0
                if code.strip():
                    result = self._run(code)
                    if result is not None and result.reason == "exit":
                        return exit_code(result)
            except EOFError:
                print()
                return 0
            except KeyboardInterrupt:
                print("\nKeyboardInterrupt", file=sys.stderr)
            except Conflict as error:
                say(error.detail)

    def _run(self, code: str) -> Result | None:
        word = code.strip()
        if word.startswith("%"):
            self._command(word)
            return None
        result = self._program.show(self._session.stream(code, interactive=True, timeout=self._timeout))
        if result.result not in (None, "None"):
            print(result.result)
        if result.status in ("timeout", "failed"):
            say(result.summary())
        if result.state != "kept" and result.note:
            say(result.note)
        return result

    def _command(self, word: str) -> None:
        match word:
            case "%undo":
                print(f"undone; {self._session.undo()} more can be")
            case "%reset":
                self._session.reset()
                print("reset")
            case "%vars":
                for one in self._session.variables():
                    print(f"{one.name}: {one.type} = {one.repr}")
            case "%files":
                for file in self._session.files.list(recursive=True).files:
                    print(file.path + ("/" if file.type == "directory" else f"  {file.size}"))
            case "%help":
                print(HELP, end="")
            case _:
                say(f"there is no {word}; %help lists what there is")


def read_cell() -> str:
    """Lines until they are a whole cell. Raises EOFError and KeyboardInterrupt."""
    lines = [input(">>> ")]
    if lines[0].startswith("%"):
        return lines[0]
    while not is_complete("\n".join(lines)):
        try:
            lines.append(input("... "))
        except EOFError:
            break
    return "\n".join(lines) + "\n"


def is_complete(source: str) -> bool:
    """What is wrong counts as complete: the sandbox's Python, which may be another one, says so."""
    try:
        return codeop.compile_command(source, symbol="single") is not None
    except (SyntaxError, ValueError, OverflowError):
        return True


@contextlib.contextmanager
def history() -> Iterator[None]:
    """Line editing with the lines of earlier times, where this Python has it."""
    try:
        import readline  # noqa: PLC0415  not every Python has it
    except ImportError:
        yield
        return
    file = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "vivarium" / "history"
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY_LINES)
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            readline.write_history_file(file)
        except OSError as error:
            say(f"the history is not kept: {error}")

"""The commands that need no running program; see test_programs.py for the others."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import vivarium
from conftest import URL

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def ada() -> Iterator[vivarium.Session]:
    with vivarium.Client(URL) as client, client.create_session() as session:
        yield session


def test_help_and_version(command: Command) -> None:
    done = command("--help")
    assert done.returncode == 0
    for word in ["run", "repl", "sessions", "files", "doctor", "VIVARIUM_URL"]:
        assert word in done.stdout
    for name in ["run", "repl", "sessions", "files", "doctor"]:
        done = command(name, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"usage: vivarium {name}")
    assert command("--version").stdout == f"vivarium {vivarium.__version__}\n"
    done = command()
    assert done.returncode == 2 and "required: COMMAND" in done.stderr


def test_sessions(command: Command) -> None:
    made = command("sessions", "new", "cli-session", "--idle-timeout", "60")
    assert (made.returncode, made.stdout) == (0, "cli-session\n")
    listed = command("sessions").stdout.splitlines()
    assert listed[0].split() == ["ID", "PROFILE", "STATE", "CELLS", "MEMORY", "EXPIRES"]
    assert any(line.split()[:4] == ["cli-session", "native", "idle", "0"] for line in listed)
    assert "limit idle_ms" in command("sessions", "show", "cli-session").stdout
    taken = command("sessions", "new", "cli-session")
    assert taken.returncode == 1 and taken.stderr.startswith("vivarium: 409 Conflict")
    removed = command("sessions", "rm", "no-such", "cli-session")
    assert (removed.returncode, removed.stderr) == (1, "vivarium: no-such: There is no session of this id.\n")
    assert "cli-session" not in command("sessions", "ls").stdout


def test_files(command: Command, ada: vivarium.Session, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text")
    assert command("files", "put", ada.id, "a.txt").returncode == 0
    assert command("files", "put", ada.id, "a.txt", "folder/").returncode == 0
    assert command("files", "put", ada.id, "-", "b.txt", input="from here").returncode == 0
    assert command("files", "get", ada.id, "b.txt", "-").stdout == "from here"
    assert command("files", "get", ada.id, "folder/a.txt", "copy.txt").returncode == 0
    assert (tmp_path / "copy.txt").read_text() == "some text"
    lines = [line.split() for line in command("files", "ls", "-r", ada.id).stdout.splitlines()]
    assert [(line[0], line[-1]) for line in lines] == [
        ("9", "a.txt"),
        ("9", "b.txt"),
        ("-", "folder/"),
        ("9", "folder/a.txt"),
    ]
    refused = command("files", "mv", ada.id, "a.txt", "b.txt")
    assert refused.returncode == 1 and "409" in refused.stderr
    assert command("files", "mv", "-f", ada.id, "a.txt", "b.txt").returncode == 0
    assert command("files", "mv", ada.id, "b.txt", "folder/").returncode == 0
    assert command("files", "rm", ada.id, "folder").returncode == 1
    assert command("files", "rm", "-r", ada.id, "folder").returncode == 0
    assert command("files", "ls", ada.id).stdout == ""
    missing = command("files", "rm", ada.id, "none")
    assert (missing.returncode, missing.stderr) == (1, "vivarium: none: there is no such file\n")
    assert "none-here" in command("files", "put", ada.id, "none-here").stderr
    assert "standard input has no name" in command("files", "put", ada.id, "-", input="").stderr


def test_a_service_that_is_away(command: Command, closed_port: int) -> None:
    done = command("sessions", VIVARIUM_URL=f"http://127.0.0.1:{closed_port}")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"127.0.0.1:{closed_port}" in done.stderr and "vivarium doctor" in done.stderr
    done = command("run", "-c", "1", VIVARIUM_URL=f"http://127.0.0.1:{closed_port}")
    assert done.returncode == 125


@pytest.mark.parametrize(
    ("url", "complaint", "advice"),
    [
        ("127.0.0.1:5000", "is not the address of a service", "http://127.0.0.1:5000"),
        ("http://no-such-host.invalid", "no-such-host.invalid", "Is the name right?"),
        ("http://127.0.0.1:{closed}", "nothing answers at 127.0.0.1, port {closed}", "scripts/up"),
        ("http://127.0.0.1:{other}", "404", "Is it Vivarium that serves there?"),
    ],
)
def test_doctor_says_what_to_do(
    command: Command, closed_port: int, url: str, complaint: str, advice: str
) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        ports = {"closed": closed_port, "other": other.server_address[1]}
        done = command("doctor", VIVARIUM_URL=url.format(**ports))
        other.shutdown()
        thread.join()
    assert done.returncode == 1 and done.stderr == ""
    problem, what_to_do = done.stdout.splitlines()[-2:]
    assert " FAIL " in problem and complaint.format(**ports) in problem
    assert advice in what_to_do

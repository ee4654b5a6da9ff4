"""vivarium run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .. import Client, Session
from . import options
from .program import Program, exit_code, say, session_for

OWN_FAILURE = 125

DESCRIPTION = f"""\
Run a program in a fresh sandbox. Its output appears as it is written; it reads this
command's standard input when it wants to; Ctrl-C interrupts it. The exit code is that of
python3: 0, 1 after an exception, the code of sys.exit(), 128 and the signal's number; or
{OWN_FAILURE} if the service could not run it.
"""
EPILOG = """\
examples:
  vivarium run program.py
  vivarium run -c 'print(6 * 7)'
  vivarium run --file data.csv --get result.csv program.py --verbose < input.txt
"""


def add_parser(commands: Any) -> None:
    """Its options."""
    parser = commands.add_parser(
        "run",
        help="run a program",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", dest="code", metavar="CODE", help="the program itself, instead of a file")
    parser.add_argument("--timeout", type=options.positive, metavar="SECONDS", help="its wall time (30)")
    parser.add_argument(
        "--file",
        type=options.pair,
        action="append",
        default=[],
        dest="files",
        metavar="LOCAL[=PATH]",
        help="a file that it is to find, under its own name or as PATH; may be repeated",
    )
    parser.add_argument(
        "--get",
        type=options.pair,
        action="append",
        default=[],
        metavar="PATH[=LOCAL]",
        help="a file to fetch when it has ended; may be repeated",
    )
    options.add_session_options(parser)
    parser.add_argument("file", nargs="?", metavar="FILE", help="the program; - is standard input")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="its sys.argv[1:]")
    parser.set_defaults(act=act, own_failure=OWN_FAILURE)


def act(client: Client, given: argparse.Namespace) -> int:
    """Run it and show it."""
    code, argv = program_of(given)
    with session_for(client, given) as session:
        for local, path in given.files:
            session.files.write(path, Path(local))
        if argv[1:]:
            session.execute(f"import sys; sys.argv = {argv!r}").check()
        stream = session.stream(code, interactive=True, timeout=given.timeout)
        result = Program(session, given.pictures).show(stream)
        if result.status in ("timeout", "failed"):
            say(f"the program was stopped: {result.summary()}")
        return exit_code(result) if fetch(session, given.get) else exit_code(result) or OWN_FAILURE


def program_of(given: argparse.Namespace) -> tuple[str, list[str]]:
    """The source and sys.argv."""
    if given.code is not None:
        arguments = [given.file, *given.arguments] if given.file is not None else []
        return given.code, ["-c", *arguments]
    if given.file is None:
        raise OSError("run what? Name a FILE, or give the program with -c CODE")
    source = sys.stdin.read() if given.file == "-" else Path(given.file).read_text(encoding="utf-8")
    if not source.strip():
        raise OSError(f"{given.file}: there is no program in it")
    return source, [given.file, *given.arguments]


def fetch(session: Session, wanted: list[tuple[str, str]]) -> bool:
    """Fetch what --get names; was all of it there?"""
    complete = True
    for path, local in wanted:
        try:
            session.files.download(path, Path(local))
        except Exception as error:
            say(f"{path}: {error}")
            complete = False
    return complete

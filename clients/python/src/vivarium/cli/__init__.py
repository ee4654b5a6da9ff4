"""The command line: `vivarium COMMAND`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import httpx

from .. import Client, __version__
from .._transport import DEFAULT_URL
from ..errors import ApiError, ConnectionFailed, VivariumError
from . import doctor, files, repl, run, sessions

COMMANDS = (run, repl, sessions, files, doctor)

DESCRIPTION = "Run untrusted Python in a Vivarium service."
EPILOG = f"""\
Where the service is: --url, else VIVARIUM_URL in the environment, else {DEFAULT_URL}.
"vivarium COMMAND --help" explains a command. "vivarium doctor" finds out what is wrong.
"""


def make_parser() -> argparse.ArgumentParser:
    """All options of all commands."""
    parser = argparse.ArgumentParser(
        prog="vivarium",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vivarium {__version__}")
    parser.add_argument("--url", help="where the service is, such as http://127.0.0.1:5000")
    parser.add_argument("--api-key", help="the service's key, where it wants one (or VIVARIUM_API_KEY)")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = make_parser().parse_args(arguments)
    own_failure: int = getattr(given, "own_failure", 1)
    try:
        with Client(given.url, api_key=given.api_key) as client:
            code: int = given.act(client, given)
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who read our output has gone away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return own_failure
    except (VivariumError, OSError, UnicodeError, httpx.InvalidURL) as error:
        print(f"vivarium: {error}", file=sys.stderr)
        for line in hints(error):
            print(f"  {line}", file=sys.stderr)
        return own_failure


def hints(error: Exception) -> list[str]:
    """What may help."""
    if isinstance(error, ApiError):
        return [f"{one.field}: {one.message}" for one in error.errors if one.field not in error.detail]
    if isinstance(error, ConnectionFailed):
        return [
            "Is the service running, and is this its address? --url or VIVARIUM_URL says where it is;",
            "`vivarium doctor` looks closer.",
        ]
    return []

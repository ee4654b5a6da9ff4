"""Pieces that the options of several commands are made of."""

from __future__ import annotations

import argparse
from pathlib import Path


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not number > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text!r}")
    return number


def whole(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, not {text!r}")
    return int(text)


def pair(text: str) -> tuple[str, str]:
    """Make FROM=TO two names, FROM alone a name and the last piece of it."""
    source, equals, target = text.partition("=")
    if not source or (equals and not target):
        raise argparse.ArgumentTypeError(f"expected NAME or NAME=OTHER, not {text!r}")
    return source, target or Path(source).name


def add_session_options(parser: argparse.ArgumentParser) -> None:
    """Those of a session that is made for a command."""
    parser.add_argument("--session", metavar="ID", help="use this session, which stays, instead of a new one")
    parser.add_argument("--profile", help="the new session's profile (its limits; native)")
    parser.add_argument("--environment", help="the new session's set of packages (base)")
    parser.add_argument("--memory-mb", type=whole, metavar="N", help="its memory, if less than the profile's")
    parser.add_argument(
        "--pictures",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where to save pictures that the program displays (the current folder)",
    )

"""vivarium files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .. import Client
from ..errors import NotFound
from ..models import FileInfo
from .sessions import moment
from .table import print_table

DESCRIPTION = """\
The files of a session. Paths are relative to its folder; a trailing / says that a folder
is meant.
"""
EPILOG = """\
examples:
  vivarium files put ada data.csv input/
  vivarium files ls -r ada
  vivarium files get ada result.csv -
"""


def add_parser(commands: Any) -> None:
    """Its options."""
    parser = commands.add_parser(
        "files",
        help="files of a session: ls, get, put, rm, mv",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listing = actions.add_parser("ls", help="what is in a folder")
    add_session(listing)
    listing.add_argument("path", nargs="?", default="", metavar="PATH", help="a folder (all of it)")
    listing.add_argument("-r", "--recursive", action="store_true", help="what is in its folders too")
    listing.set_defaults(act=act_list)

    get = actions.add_parser("get", help="fetch a file")
    add_session(get)
    get.add_argument("path", metavar="PATH")
    get.add_argument(
        "local", nargs="?", metavar="LOCAL", help="where to (its name, here); - is standard output"
    )
    get.set_defaults(act=act_get)

    put = actions.add_parser("put", help="send a file")
    add_session(put)
    put.add_argument("local", metavar="LOCAL", help="a file here; - is standard input")
    put.add_argument("path", nargs="?", metavar="PATH", help="where to (its name)")
    put.set_defaults(act=act_put)

    remove = actions.add_parser("rm", help="remove files")
    add_session(remove)
    remove.add_argument("paths", nargs="+", metavar="PATH")
    remove.add_argument("-r", "--recursive", action="store_true", help="folders with what is in them")
    remove.set_defaults(act=act_remove)

    move = actions.add_parser("mv", help="give a file another name")
    add_session(move)
    move.add_argument("old", metavar="FROM")
    move.add_argument("new", metavar="TO")
    move.add_argument("-f", "--force", action="store_true", help="also over another file")
    move.set_defaults(act=act_move)


def add_session(parser: argparse.ArgumentParser) -> None:
    """The first argument of each."""
    parser.add_argument("session", metavar="SESSION", help="the session's id")


def act_list(client: Client, given: argparse.Namespace) -> int:
    """One line an entry."""
    listing = client.session(given.session).files.list(given.path, recursive=given.recursive)
    print_table((), [row(file) for file in listing.files])
    if listing.truncated:
        print("vivarium: there are more files than can be listed", file=sys.stderr)
    return 0


def row(file: FileInfo) -> tuple[str, str, str]:
    """Size, time and name."""
    if file.type == "directory":
        return "-", moment(file.modified), file.path + "/"
    return (
        str(file.size),
        moment(file.modified),
        file.path + ("" if file.type == "file" else f" ({file.type})"),
    )


def act_get(client: Client, given: argparse.Namespace) -> int:
    """Fetch one."""
    files = client.session(given.session).files
    if given.local == "-":
        sys.stdout.buffer.write(files.read(given.path))
        return 0
    local = Path(given.local or Path(given.path).name)
    files.download(given.path, local / Path(given.path).name if local.is_dir() else local)
    return 0


def act_put(client: Client, given: argparse.Namespace) -> int:
    """Send one."""
    if given.local == "-" and not given.path:
        raise OSError("standard input has no name: say which PATH it is to have")
    path = given.path or Path(given.local).name
    if path.endswith("/"):
        path += Path(given.local).name
    content = sys.stdin.buffer.read() if given.local == "-" else Path(given.local)
    client.session(given.session).files.write(path, content)
    return 0


def act_remove(client: Client, given: argparse.Namespace) -> int:
    """Remove them; one that is not there is named, and the others are removed all the same."""
    code = 0
    for path in given.paths:
        try:
            client.session(given.session).files.delete(path, recursive=given.recursive)
        except NotFound as error:
            print(f"vivarium: {path}: {error.detail}", file=sys.stderr)
            code = 1
    return code


def act_move(client: Client, given: argparse.Namespace) -> int:
    """Rename one."""
    new = given.new + Path(given.old).name if given.new.endswith("/") else given.new
    client.session(given.session).files.rename(given.old, new, replace=given.force)
    return 0

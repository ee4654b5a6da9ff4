"""vivarium sessions."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import Any

from .. import Client
from ..errors import NotFound
from ..models import SessionInfo
from . import options
from .table import print_table, size

DESCRIPTION = "Look at the service's sessions, make one, end some. Without an action: the list."


def add_parser(commands: Any) -> None:
    """Its options."""
    parser = commands.add_parser("sessions", help="list, make and end sessions", description=DESCRIPTION)
    parser.set_defaults(act=act_list)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")

    actions.add_parser("ls", help="list all (from the service's own machine, or with its key)")

    new = actions.add_parser("new", help="make one and print its id")
    new.add_argument("id", nargs="?", metavar="ID", help="its id; without one the service makes it")
    new.add_argument("--profile", help="its limits (native)")
    new.add_argument("--environment", help="its set of packages (base)")
    new.add_argument(
        "--idle-timeout",
        type=options.positive,
        metavar="SECONDS",
        help="it ends after so long without a request",
    )
    new.set_defaults(act=act_new)

    show = actions.add_parser("show", help="times, usage and limits of one")
    show.add_argument("id", metavar="ID")
    show.set_defaults(act=act_show)

    remove = actions.add_parser("rm", help="end sessions; nothing of them is left")
    remove.add_argument("ids", nargs="+", metavar="ID")
    remove.set_defaults(act=act_remove)


def act_list(client: Client, given: argparse.Namespace) -> int:
    """All of them."""
    rows = [
        (one.id, one.profile, one.state, str(one.executions), size(one.memory_bytes), moment(one.expires))
        for one in client.sessions()
    ]
    print_table(("ID", "PROFILE", "STATE", "CELLS", "MEMORY", "EXPIRES"), rows)
    return 0


def act_new(client: Client, given: argparse.Namespace) -> int:
    """Make one."""
    made = client.create_session(
        given.id, profile=given.profile, environment=given.environment, idle_timeout=given.idle_timeout
    )
    print(made.id)
    return 0


def act_show(client: Client, given: argparse.Namespace) -> int:
    """One of them."""
    print_table((), list(facts(client.session(given.id).info()).items()))
    return 0


def act_remove(client: Client, given: argparse.Namespace) -> int:
    """End them; one that is not there is named, and the others end all the same."""
    code = 0
    for session_id in given.ids:
        try:
            client.session(session_id).delete()
        except NotFound as error:
            print(f"vivarium: {session_id}: {error.detail}", file=sys.stderr)
            code = 1
    return code


def facts(info: SessionInfo) -> dict[str, str]:
    """What is known of a session, in words."""
    return {
        "id": info.id,
        "profile": info.profile,
        "environment": info.environment,
        "state": info.state,
        "cells": str(info.executions),
        "can be undone": str(info.undo_levels),
        "created": moment(info.created),
        "last used": moment(info.last_used),
        "expires": moment(info.expires),
        "CPU time": f"{info.cpu_ms / 1000:.3f} s",
        "memory": f"{size(info.memory_bytes)} (at most {size(info.memory_peak_bytes)})",
        **{f"limit {name}": str(value) for name, value in info.limits.items()},
    }


def moment(time: datetime | None) -> str:
    """In this machine's time."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else "never"

"""vivarium doctor."""

from __future__ import annotations

import argparse
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from .. import Client, Stdout, __version__
from ..errors import ApiError, Forbidden, Unavailable, UnexpectedAnswer, VivariumError

DESCRIPTION = """\
Find out whether the service can be reached and does what it should, and say what to do
where it does not. Ends with 0 if all is well.
"""


def add_parser(commands: Any) -> None:
    """Its options."""
    parser = commands.add_parser("doctor", help="find out what is wrong", description=DESCRIPTION)
    parser.set_defaults(act=act)


class Problem(Exception):
    """A step that failed, and what to do."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.advice = advice


def act(client: Client, given: argparse.Namespace) -> int:
    """One step after the other; the first that fails makes the others pointless."""
    print(f"{'client':10} ok    vivarium {__version__}, {client.url}")
    for name, step in STEPS.items():
        try:
            print(f"{name:10} ok    {step(client)}")
        except Problem as problem:
            print(f"{name:10} FAIL  {problem}")
            print(f"{'':10}       {problem.advice}")
            return 1
    return 0


def check_connection(client: Client) -> str:
    parts = urlsplit(client.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Problem(
            f"{client.url} is not the address of a service",
            "It looks like http://127.0.0.1:5000; set it with --url or VIVARIUM_URL.",
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname, port), timeout=5) as connection:
            address = connection.getpeername()[0]
    except socket.gaierror as error:
        raise Problem(
            f"{parts.hostname}: {error.strerror}", "Is the name right? --url or VIVARIUM_URL sets it."
        ) from error
    except OSError as error:
        raise Problem(
            f"nothing answers at {parts.hostname}, port {port}: {error.strerror or error}",
            "Start the service there (scripts/up --detach), or name another address with --url.",
        ) from error
    return f"{address}, port {port}"


def check_application(client: Client) -> str:
    try:
        return client.live()
    except (ApiError, UnexpectedAnswer) as error:
        advice = "Is it Vivarium that serves there? A proxy in between must pass on /api/v1."
        if isinstance(error, ApiError) and error.status in (502, 503, 504):
            advice = "nginx runs and the application does not: see fcgi-app's log in the state folder."
        if isinstance(error, Forbidden):
            advice = "The service does not answer to this host name: add it to ALLOWED_HOSTS there."
        raise Problem(str(error), advice) from error


def check_executor(client: Client) -> str:
    try:
        return client.ready()
    except ApiError as error:
        raise Problem(
            str(error), "The application runs and the executor does not: see its log in the state folder."
        ) from error


def check_versions(client: Client) -> str:
    info = client.info()
    text = f"service {info.version}, executor {info.executor_version}, Python {info.python_version}"
    if info.version != info.executor_version:
        raise Problem(text, "Application and executor must be of one version: run scripts/up again.")
    if info.version.split(".")[:2] != __version__.split(".")[:2]:
        raise Problem(text, f"This client is {__version__}: install clients/python of the service's tree.")
    return text


def check_walls(client: Client) -> str:
    isolation = client.info().isolation
    broken = [name for name, state in isolation.items() if state != "holds"]
    if broken:
        raise Problem(
            f"not in force: {', '.join(broken)}",
            "`executor --doctor` on the service's machine says why; until then run no untrusted code.",
        )
    return f"all {len(isolation)} walls hold"


def check_run(client: Client) -> str:
    began = time.monotonic()
    result = client.execute("print(6 * 7)")
    if (result.status, result.stdout) != ("success", "42\n"):
        raise Problem(
            f"print(6 * 7): {result.summary()}, {result.stdout + result.stderr!r}",
            "The executor's log in the service's state folder says why a sandbox fails.",
        )
    return f"a program ran in {(time.monotonic() - began) * 1000:.0f} ms"


def check_stream(client: Client) -> str:
    first: float | None = None
    with client.stream("import time; print('a', flush=True); time.sleep(0.5); print('b')") as stream:
        for event in stream:
            if isinstance(event, Stdout) and first is None:
                first = time.monotonic()
    if first is None or time.monotonic() - first < 0.25:
        raise Problem(
            "the output of a program does not arrive while it runs",
            "A proxy between here and the service collects answers: turn its buffering off.",
        )
    return "output arrives as it is written"


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """What any step may fail by."""
    try:
        yield
    except Unavailable as error:
        raise Problem(str(error), "The service is full or restarting: try again in a while.") from error
    except VivariumError as error:
        raise Problem(str(error), "The logs in the service's state folder may say more.") from error


def guarded(step: Callable[[Client], str]) -> Callable[[Client], str]:
    """The step, with any failure as a problem."""

    def call(client: Client) -> str:
        with explained():
            return step(client)

    return call


STEPS: dict[str, Callable[[Client], str]] = {
    "connection": check_connection,
    "service": guarded(check_application),
    "executor": guarded(check_executor),
    "versions": guarded(check_versions),
    "isolation": guarded(check_walls),
    "trial run": guarded(check_run),
    "streaming": guarded(check_stream),
}

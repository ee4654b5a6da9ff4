"""Fixtures: the service under test (VIVARIUM_URL), and both clients on the same tests."""

from __future__ import annotations

import inspect
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest

import vivarium

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import service  # noqa: E402  what the end-to-end tests share

URL = os.environ.get("VIVARIUM_URL", "http://127.0.0.1:5000")


class Blocking:
    """An object of the asynchronous client, used from tests that wait."""

    def __init__(self, portal: Any, target: Any) -> None:
        self._portal, self._target = portal, target

    def __getattr__(self, name: str) -> Any:
        return self._wrap(getattr(self._target, name))

    def _wrap(self, value: Any) -> Any:
        if inspect.ismethod(value):
            return lambda *arguments, **options: self._call(value, *arguments, **options)
        return Blocking(self._portal, value) if type(value).__name__.startswith("Async") else value

    def _call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        async def call() -> Any:
            result = method(*arguments, **options)
            return await result if inspect.isawaitable(result) else result

        return self._wrap(self._portal.call(call))

    def __enter__(self) -> Any:
        return self._call(self._target.__aenter__)

    def __exit__(self, *error: Any) -> None:
        self._call(self._target.__aexit__, *error)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        try:
            return self._call(self._target.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None


@pytest.fixture(params=["sync", "async"])
def make_client(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes clients of one of the two kinds; with the arguments of `Client`."""
    if request.param == "sync":
        yield vivarium.Client
        return
    with anyio.from_thread.start_blocking_portal() as portal:
        yield lambda *arguments, **options: Blocking(portal, vivarium.AsyncClient(*arguments, **options))


@pytest.fixture
def client(make_client: Callable[..., Any]) -> Iterator[Any]:
    with make_client(URL) as client:
        yield client


@pytest.fixture
def session(client: Any) -> Iterator[Any]:
    with client.create_session() as session:
        yield session


@pytest.fixture
def own_service() -> Iterator[Callable[..., Any]]:
    """Starts services with settings of their own; needs root."""
    made = []

    def make(**settings: str) -> Any:
        made.append(service.Service(**settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line as a user would; nothing of this machine's user is touched."""

    def run(
        *arguments: str, input: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vivarium", *arguments],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "VIVARIUM_URL": URL, "HOME": str(tmp_path), **environment},
        )

    return run


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    from terminal import Terminal  # noqa: PLC0415  which needs this file

    made: list[Terminal] = []

    def make(*arguments: str) -> Terminal:
        made.append(Terminal(tmp_path, *arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()

"""What the synchronous client waits for besides HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from ._transport import PIECE_BYTES


def sleep(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)


def no_chunks() -> Iterator[bytes]:
    """Yield nothing."""
    return iter(())


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def body_of(content: bytes | Path | None) -> Any:
    """What httpx sends: a local file goes in pieces."""
    return _pieces(content) if isinstance(content, Path) else content


def save(response: httpx.Response, target: Path) -> None:
    """Write a body to a file, in pieces."""
    with target.open("wb") as file:
        for piece in response.iter_bytes(PIECE_BYTES):
            file.write(piece)


def replace(part: Path, target: Path) -> None:
    """Rename."""
    part.replace(target)


def remove(path: Path) -> None:
    """Remove it if it is there."""
    path.unlink(missing_ok=True)

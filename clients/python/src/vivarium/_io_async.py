"""What the asynchronous client waits for besides HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx

from ._transport import PIECE_BYTES


async def sleep(seconds: float) -> None:
    """Let others run for so long."""
    await anyio.sleep(seconds)


async def no_chunks() -> AsyncIterator[bytes]:
    """Yield nothing."""
    for chunk in list[bytes]():
        yield chunk


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while piece := await file.read(PIECE_BYTES):
            yield piece


def body_of(content: bytes | Path | None) -> Any:
    """What httpx sends: a local file goes in pieces."""
    return _pieces(content) if isinstance(content, Path) else content


async def save(response: httpx.Response, target: Path) -> None:
    """Write a body to a file, in pieces."""
    async with await anyio.open_file(target, "wb") as file:
        async for piece in response.aiter_bytes(PIECE_BYTES):
            await file.write(piece)


async def replace(part: Path, target: Path) -> None:
    """Rename."""
    await anyio.Path(part).replace(target)


async def remove(path: Path) -> None:
    """Remove it if it is there."""
    await anyio.Path(path).unlink(missing_ok=True)

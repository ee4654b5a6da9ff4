"""Showing a program that runs in a session on this terminal: its output, its pictures, its input,
and Ctrl-C.
"""

from __future__ import annotations

import codecs
import contextlib
import getpass
import os
import select
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from .. import Client, Session, Stream
from ..errors import ApiError, VivariumError
from ..events import Displayed, Gap, InputWanted, Stderr, Stdout
from ..models import Output, Result

PICTURES = {"image/png": "png", "image/svg+xml": "svg", "image/jpeg": "jpg", "image/gif": "gif"}
READ_BYTES = 1 << 16
LOOK_AGAIN_SECONDS = 0.1


@contextlib.contextmanager
def session_for(client: Client, given: Namespace) -> Iterator[Session]:
    """The session that is named, or a new one for as long as the command takes."""
    if given.session:
        session = client.session(given.session)
        session.info()  # an unknown one is an error now, not at the first cell
        yield session
        return
    options: dict[str, Any] = {"profile": given.profile, "environment": given.environment}
    if given.memory_mb:
        options["limits"] = {"memory_bytes": given.memory_mb << 20}
    with client.create_session(**options) as session:
        yield session


class LocalInput:
    """Standard input in the pieces in which it comes: lines from a terminal."""

    def __init__(self, by_lines: bool) -> None:
        self._by_lines = by_lines
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, wanted: InputWanted) -> tuple[str, bool]:
        """Text, and whether there is no more."""
        if wanted.password and sys.stdin.isatty():
            return getpass.getpass("") + "\n", False
        if self._by_lines:  # what follows the line is not for the program
            line = sys.stdin.readline()
            return line, not line
        while True:
            data = os.read(sys.stdin.fileno(), READ_BYTES)
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text, not data


class Program:
    """Shows one program after the other. `by_lines`: it may have no more of our input than it asks for."""

    def __init__(self, session: Session, pictures: Path, *, by_lines: bool = False) -> None:
        self._session = session
        self._pictures = pictures
        self._input = LocalInput(by_lines)
        self._reading = False
        self._interrupted = False

    def show(self, stream: Stream) -> Result:
        """All of it, to its end."""
        with self._interrupts(), stream:
            for event in stream:
                match event:
                    case Stdout():
                        sys.stdout.write(event.text)
                        sys.stdout.flush()
                    case Stderr():
                        sys.stdout.flush()
                        sys.stderr.write(event.text)
                        sys.stderr.flush()
                    case Displayed():
                        self._display(event.output)
                    case InputWanted():
                        self._give_input(event)
                    case Gap():
                        say(f"{event.lost_bytes} bytes of output were lost")
        return stream.result

    # ---- input ------------------------------------------------------------------------------

    def _give_input(self, wanted: InputWanted) -> None:
        self._reading = True
        try:
            if self._is_over():
                return
            text, ended = self._input.read(wanted)
        except KeyboardInterrupt:
            self._interrupt()
            return
        finally:
            self._reading = False
        with contextlib.suppress(ApiError):  # it may have ended meanwhile
            self._session.send_stdin(text, eof=ended)

    def _is_over(self) -> bool:
        """After Ctrl-C: has the program ended, so that nobody waits for the answer any more?"""
        while self._interrupted and not select.select([sys.stdin], [], [], LOOK_AGAIN_SECONDS)[0]:
            if self._session.info().state == "idle":
                return True
        return False

    # ---- Ctrl-C -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _interrupts(self) -> Iterator[None]:
        """Ctrl-C is for the program in the sandbox; a second one, while it goes on, for us."""
        self._interrupted = False
        before = signal.signal(signal.SIGINT, self._on_interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._reading or self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        # Not here: what the signal came upon may hold a lock of the HTTP client.
        threading.Thread(target=self._interrupt, daemon=True).start()

    def _interrupt(self) -> None:
        with contextlib.suppress(VivariumError):
            self._session.interrupt()

    # ---- pictures ---------------------------------------------------------------------------

    def _display(self, output: Output) -> None:
        for mime_type, ending in PICTURES.items():
            content = output.content(mime_type)
            if content is not None:
                say(f"picture saved to {self._save(content, ending)}")
                return
        text = output.text or next((str(value) for value in output.data.values()), "")
        print(text, flush=True)

    def _save(self, content: bytes, ending: str) -> Path:
        self._pictures.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = self._pictures / f"picture-{number}.{ending}"
            with contextlib.suppress(FileExistsError), path.open("xb") as file:
                file.write(content)
                return path
            number += 1


def say(message: str) -> None:
    """Something of our own, beside the program's output."""
    sys.stdout.flush()
    print(f"vivarium: {message}", file=sys.stderr, flush=True)


def exit_code(result: Result) -> int:
    """As a shell would see python3 end."""
    if result.reason == "interrupted":
        return 128 + signal.SIGINT
    return 128 - result.return_code if result.return_code < 0 else result.return_code

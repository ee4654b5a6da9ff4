"""A command at a terminal of its own, and somebody who types and reads there."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from pathlib import Path

from conftest import URL


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            environment = {**os.environ, "VIVARIUM_URL": URL, "HOME": str(folder), "TERM": "dumb"}
            os.execve(sys.executable, [sys.executable, "-m", "vivarium", *arguments], environment)
        self.shown = ""

    def expect(self, pattern: str) -> str:
        """Wait until this is shown; what came before and with it is taken away."""
        end = time.monotonic() + 60
        while not (found := re.search(pattern, self.shown)):
            assert time.monotonic() < end, f"{pattern!r} does not appear after {self.shown!r}"
            if select.select([self._fd], [], [], 1)[0]:
                try:
                    data = os.read(self._fd, 4096)
                except OSError:
                    data = b""
                assert data, f"ended after {self.shown!r}, without {pattern!r}"
                self.shown += data.decode().replace("\r\n", "\n")
        before = self.shown[: found.end()]
        self.shown = self.shown[found.end() :]
        return before

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def enter(self, text: str) -> None:
        self.type(text + "\n")

    def interrupt(self) -> None:
        self.type("\x03")

    def end(self) -> int:
        """Its exit code."""
        while True:
            try:
                if not os.read(self._fd, 4096):
                    break
            except OSError:
                break
        _, status = os.waitpid(self._pid, 0)
        os.close(self._fd)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            os.close(self._fd)

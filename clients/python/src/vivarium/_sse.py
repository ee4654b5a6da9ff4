"""Server-sent events, from the bytes in which they arrive."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One event as it is on the wire."""

    name: str
    data: str
    id: str | None


class Decoder:
    """Bytes in, messages out; a message that the connection's end cuts off is none."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._scanned = 0
        self._name = "message"
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that this piece completes."""
        self._rest += chunk
        messages = []
        while (end := self._rest.find(b"\n", self._scanned)) >= 0:
            line = self._rest[:end].removesuffix(b"\r").decode("utf-8", "replace")
            del self._rest[: end + 1]
            self._scanned = 0
            if line:
                self._field(line)
            elif message := self._dispatch():
                messages.append(message)
        self._scanned = len(self._rest)
        return messages

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value

    def _dispatch(self) -> Message | None:
        message = Message(self._name, "\n".join(self._data), self._id) if self._data else None
        self._name = "message"
        self._data = []
        return message

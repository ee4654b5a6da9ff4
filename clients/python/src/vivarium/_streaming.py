"""A stream of events: where it stands, what the next request is, and whether a broken one can be
taken up again. Nothing here does I/O.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx

from ._calls import Call
from ._sse import Decoder, Message
from .errors import ConnectionLost, UnexpectedAnswer, VivariumError, api_error
from .events import Displayed, Event, Finished, Started, Stderr, Stdout, event_from_json
from .models import Output, Result

EVENT_STREAM = "text/event-stream"
RESUMES = 5  # without an event in between
FIRST_PAUSE_S = 0.1  # doubled each time: 3.1 s in all, as the service gives a client 5 s to return

Follow = Callable[[int, "str | None"], "Call[Any]"]


class StreamState:
    """One stream, over all the connections that it takes."""

    def __init__(self, first: Call[Any], follow: Follow | None = None, execution: int | None = None) -> None:
        self.pending: deque[Event] = deque()
        self.finished: Finished | None = None
        self.last_event_id: str | None = first.headers.get("Last-Event-ID")
        self.execution = execution
        self._first = as_stream(first)
        self._follow = follow
        self._opened = False
        self._started = False
        self._resumes = 0
        self._decoder = Decoder()

    def next_call(self) -> Call[Any]:
        """The request that opens the stream, or takes it up again."""
        self._decoder = Decoder()
        if not self._opened:
            return self._first
        if self._follow is None or self.execution is None:
            raise ConnectionLost("the stream broke, and it is none that can be taken up again")
        return as_stream(self._follow(self.execution, self.last_event_id))

    def opened(self, response: httpx.Response) -> None:
        """The answer to next_call() is there."""
        if not response.headers.get("content-type", "").startswith(EVENT_STREAM):
            raise UnexpectedAnswer("the service does not stream: its answer is no event stream")
        self._opened = True

    def feed(self, chunk: bytes) -> None:
        """Take what arrived; the events are in `pending`."""
        for message in self._decoder.feed(chunk):
            if self.finished is None:
                self._take(message)

    def _take(self, message: Message) -> None:
        try:
            body = json.loads(message.data)
            if message.name == "error":
                raise api_error(int(body["status"]), body)
            event = event_from_json(message.name, body, message.id)
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedAnswer(f"an event {message.name!r} that is none of Vivarium's") from error
        self.last_event_id = message.id or self.last_event_id
        self._resumes = 0
        if isinstance(event, Started):
            if self._started:  # the beginning of the connection, and not of the program
                return
            self._started = True
            self.execution = event.execution
        elif isinstance(event, Finished):
            self.finished = event
        if event is not None:
            self.pending.append(event)

    def pause_before_resuming(self, cause: Exception | None) -> float:
        """The connection ended before the result: seconds to wait; raises `ConnectionLost`."""
        self._resumes += 1
        if self._follow is None or self.execution is None or self._resumes > RESUMES:
            raise ConnectionLost(
                f"the stream broke before its end: {cause or 'the connection was closed'}"
            ) from cause
        pause: float = FIRST_PAUSE_S * 2 ** (self._resumes - 1)
        return pause

    @property
    def result(self) -> Result:
        """How it ended; raises `VivariumError` while it runs."""
        if self.finished is None:
            raise VivariumError("the stream has not come to its end yet")
        return self.finished.result


class Collector:
    """Puts the text of events together again."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._err: list[str] = []
        self._outputs: list[Output] = []

    def add(self, event: Event) -> None:
        if isinstance(event, Stdout):
            self._out.append(event.text)
        elif isinstance(event, Stderr):
            self._err.append(event.text)
        elif isinstance(event, Displayed):
            self._outputs.append(event.output)

    def complete(self, result: Result) -> Result:
        """The result with all that was added."""
        return result.with_output("".join(self._out), "".join(self._err), tuple(self._outputs))


def as_stream(call: Call[Any]) -> Call[Any]:
    """The same request, asking for events."""
    return replace(call, headers={**call.headers, "Accept": EVENT_STREAM})


def number_of(event: Event) -> int:
    """The number of the cell that this first event announces."""
    if isinstance(event, Started) and event.execution is not None:
        return event.execution
    raise UnexpectedAnswer("the stream of a cell does not begin with its number")

"""The synchronous client. Made from _async.py by make_sync.py: change that file, not this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
from typing_extensions import Self, Unpack

from . import _calls
from ._calls import (
    Call,
    CellOptions,
    CommandOptions,
    EvaluationOptions,
    FileCalls,
    RunOptions,
    SessionCalls,
    SessionOptions,
    StreamedCellOptions,
    answer_of,
    refusal_of,
)
from ._io_sync import body_of, no_chunks, remove, replace, save, sleep
from ._retry import Attempts, Retry
from ._streaming import Collector, StreamState, number_of
from ._transport import Settings, pause_after
from .errors import ConnectionFailed, VivariumError
from .events import Event
from .models import (
    Case,
    CellInfo,
    Evaluation,
    FileListing,
    HistoryEntry,
    Info,
    Json,
    Result,
    SessionInfo,
    Variable,
    WrittenFile,
)

T = TypeVar("T")


class Transport:
    """Sends calls; a refusal that says when to come back is heeded."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http = httpx.Client(**settings.client_arguments())

    def perform(self, call: Call[T]) -> T:
        """The answer to one call."""
        response = self.open(call, streaming=False)
        return answer_of(call, response)

    def open(self, call: Call[Any], streaming: bool) -> httpx.Response:
        """The answer, its body unread if `streaming`; the caller closes it then."""
        attempts = Attempts(self.settings.retry)
        while True:
            response = self._send(call, streaming)
            pause = pause_after(attempts, response)
            if pause is None:
                if streaming and response.status_code >= 400:
                    raise refusal_of(response)
                return response
            sleep(pause)

    def _send(self, call: Call[Any], streaming: bool) -> httpx.Response:
        request = self.http.build_request(
            content=body_of(call.content), **self.settings.request_arguments(call, streaming)
        )
        try:
            response = self.http.send(request, stream=streaming)
            if response.status_code >= 400:
                response.read()
            return response
        except httpx.TransportError as error:
            raise self.settings.failure(error) from error


class Stream(Iterator[Event]):
    """The events of a running program, as they happen. Use it in a `with` statement."""

    def __init__(self, transport: Transport, state: StreamState) -> None:
        self._transport = transport
        self._state = state
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = no_chunks()
        self._closed = False

    def __enter__(self) -> Self:
        if self._response is None:
            self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __next__(self) -> Event:
        while not self._state.pending:
            if self._state.finished:
                raise StopIteration
            self._read()
        return self._state.pending.popleft()

    def wait(self) -> Result:
        """Read to the end: the result with the text that had not been read yet."""
        collector = Collector()
        for event in self:
            collector.add(event)
        return collector.complete(self.result)

    @property
    def result(self) -> Result:
        """How it ended, once it has; without the text, which came as events."""
        return self._state.result

    @property
    def execution(self) -> int | None:
        """The number of the cell, once it has begun."""
        return self._state.execution

    @property
    def last_event_id(self) -> str | None:
        """From here `follow()` can go on."""
        return self._state.last_event_id

    def close(self) -> None:
        """Listen no longer. A cell that is not detached is interrupted soon after."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def _open(self) -> None:
        self._response = self._transport.open(self._state.next_call(), streaming=True)
        self._chunks = self._response.iter_bytes()
        try:
            self._state.opened(self._response)
        except BaseException:
            self._drop()
            raise

    def _read(self) -> None:
        cause: Exception | None = None
        if self._closed:
            raise VivariumError("the stream was closed before its end")
        try:
            if self._response is None:
                self._open()
            chunk = next(self._chunks, None)
            if chunk is not None:
                self._state.feed(chunk)
                return
        except (httpx.TransportError, ConnectionFailed) as error:
            cause = error
        self._drop()
        sleep(self._state.pause_before_resuming(cause))


class Files:
    """The files of a session; paths are relative to its folder."""

    def __init__(self, transport: Transport, calls: FileCalls) -> None:
        self._transport = transport
        self._calls = calls

    def list(self, path: str = "", *, recursive: bool = False) -> FileListing:
        """What is in a folder."""
        return self._transport.perform(self._calls.list(path, recursive))

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        return self._transport.perform(self._calls.read(path))

    def read_text(self, path: str) -> str:
        """A file in UTF-8."""
        return self.read(path).decode()

    def write(
        self,
        path: str,
        content: str | bytes | Path,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> WrittenFile:
        """Make or replace a file, whole or not at all. A `Path` is a local file to be sent."""
        data = content.encode() if isinstance(content, str) else content
        return self._transport.perform(self._calls.write(path, data, if_match, if_none_match))

    def download(self, path: str, target: Path) -> None:
        """Write a file of the session to a local one, in pieces."""
        part = target.with_name(target.name + ".part")
        response = self._transport.open(self._calls.read(path), streaming=True)
        try:
            save(response, part)
            replace(part, target)
        except httpx.TransportError as error:
            raise self._transport.settings.failure(error) from error
        finally:
            response.close()
            remove(part)

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file or a folder; one that is not empty only if `recursive`."""
        self._transport.perform(self._calls.delete(path, recursive))

    def rename(self, old: str, new: str, *, replace: bool = False) -> None:
        """Give a file or a folder another name; folders are made."""
        self._transport.perform(self._calls.rename(old, new, replace))

    def read_tar(self) -> bytes:
        """All files and folders as a tar archive."""
        return self._transport.perform(self._calls.read_tar())

    def write_tar(self, archive: bytes | Path) -> None:
        """Unpack a tar archive, not compressed; files that are not in it stay."""
        self._transport.perform(self._calls.write_tar(archive))


class Session:
    """A Python that lives on. In a `with` statement it is deleted at the end if it was made here."""

    def __init__(self, transport: Transport, session_id: str, *, owned: bool) -> None:
        self._transport = transport
        self._calls = SessionCalls(session_id)
        self._owned = owned
        self.id = session_id
        self.files = Files(transport, FileCalls(self._calls.path))

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owned:
            self.delete(missing_ok=True)

    def info(self) -> SessionInfo:
        """Times, state, usage and limits."""
        return self._transport.perform(self._calls.show())

    def delete(self, *, missing_ok: bool = False) -> None:
        """End it; nothing of it is left."""
        self._transport.perform(self._calls.delete(missing_ok))

    def execute(self, code: str, **options: Unpack[CellOptions]) -> Result:
        """Run a cell and wait for its end."""
        return self._transport.perform(self._calls.execute(code, options))

    def stream(self, code: str, **options: Unpack[StreamedCellOptions]) -> Stream:
        """Run a cell and watch it."""
        call = self._calls.execute(code, options)
        return Stream(self._transport, StreamState(call, self._calls.follow))

    def start(self, code: str, **options: Unpack[CellOptions]) -> DetachedCell:
        """Start a cell that goes on without anybody listening."""
        call = self._calls.execute(code, {**options, "detach": True})
        with Stream(self._transport, StreamState(call, self._calls.follow)) as stream:
            return self.cell(number_of(next(stream)))

    def cell(self, execution: int) -> DetachedCell:
        """A cell of this session by its number, whether it runs or not."""
        return DetachedCell(self._transport, self._calls, execution)

    def cells(self) -> list[CellInfo]:
        """The last cells, and what they printed."""
        return self._transport.perform(self._calls.cells())

    def run(self, cmd: str, **options: Unpack[CommandOptions]) -> Result:
        """Run a shell command beside the interpreter, with the same files."""
        return self._transport.perform(self._calls.run(cmd, options))

    def stream_run(self, cmd: str, **options: Unpack[CommandOptions]) -> Stream:
        """Run a shell command and watch it."""
        return Stream(self._transport, StreamState(self._calls.run(cmd, options)))

    def interrupt(self) -> None:
        """KeyboardInterrupt in the running cell; `Conflict` if none runs."""
        self._transport.perform(self._calls.interrupt())

    def send_stdin(self, data: str, *, eof: bool = False) -> None:
        """Give an interactive cell its input; a line ends with a newline."""
        self._transport.perform(self._calls.stdin(data, eof))

    def reset(self, *, files: bool = False) -> None:
        """A fresh namespace; the files stay unless `files` says to remove them."""
        self._transport.perform(self._calls.reset(files))

    def undo(self) -> int:
        """Back to before the last cell; how many more can be undone."""
        return self._transport.perform(self._calls.undo())

    def variables(self) -> list[Variable]:
        """What the cells have defined."""
        return self._transport.perform(self._calls.variables())

    def history(self) -> list[HistoryEntry]:
        """The last cells and how they ended."""
        return self._transport.perform(self._calls.history())

    def evaluate(
        self, code: str, cases: Iterable[Case | Json], **options: Unpack[EvaluationOptions]
    ) -> Evaluation:
        """Judge code, beside the session and with copies of its files."""
        return self._transport.perform(self._calls.evaluate(code, cases, options))


class DetachedCell:
    """A cell that can be looked at and followed later."""

    def __init__(self, transport: Transport, calls: SessionCalls, execution: int) -> None:
        self._transport = transport
        self._calls = calls
        self.execution = execution

    def info(self) -> CellInfo:
        """What there is of it so far."""
        return self._transport.perform(self._calls.cell(self.execution))

    def follow(self, *, after: str | None = None) -> Stream:
        """Its events from the first, or after the event of that id, then live."""
        call = self._calls.follow(self.execution, after)
        return Stream(self._transport, StreamState(call, self._calls.follow, self.execution))

    def wait(self) -> Result:
        """Wait for its end: the result with all that is kept of what it printed."""
        with self.follow() as stream:
            return stream.wait()


class Client:
    """A connection to the service; close it, or use it in a `with` statement.

    Without `url` it is `VIVARIUM_URL` in the environment, or http://127.0.0.1:5000; without
    `api_key`, `VIVARIUM_API_KEY`. Several threads may share a client.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._transport = Transport(Settings.make(url, api_key, timeout, retry))

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._transport.settings.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.http.close()

    def info(self) -> Info:
        """Versions, limits, isolation in force."""
        return self._transport.perform(_calls.info())

    def live(self) -> str:
        """Does the application answer?"""
        return self._transport.perform(_calls.health("live"))

    def ready(self) -> str:
        """Can the service run programs?"""
        return self._transport.perform(_calls.health("ready"))

    def execute(self, code: str, **options: Unpack[RunOptions]) -> Result:
        """Run a program in a fresh sandbox and wait for its end."""
        return self._transport.perform(_calls.execute(code, options))

    def stream(self, code: str, **options: Unpack[RunOptions]) -> Stream:
        """Run a program in a fresh sandbox and watch it."""
        return Stream(self._transport, StreamState(_calls.execute(code, options)))

    def create_session(self, session_id: str | None = None, **options: Unpack[SessionOptions]) -> Session:
        """Make a session; without an id the service makes one."""
        made = self._transport.perform(_calls.create_session(session_id, options))
        return Session(self._transport, made.id, owned=True)

    def session(self, session_id: str) -> Session:
        """A session that there is already; nothing is asked and nothing is deleted at the end."""
        return Session(self._transport, session_id, owned=False)

    def sessions(self) -> list[SessionInfo]:
        """All sessions; only from loopback, or with the API key."""
        return self._transport.perform(_calls.sessions())

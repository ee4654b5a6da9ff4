"""Every call of the API, as a request and how to read its answer. Nothing here does I/O, so the
synchronous and the asynchronous client share all of it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote

import httpx

from ._retry import seconds_of
from .errors import ApiError, UnexpectedAnswer, api_error_of_body
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
M = TypeVar("M")
FileContent = str | bytes | Path
"""A file's content: text, bytes, or the path of a local file."""


class RunOptions(TypedDict, total=False):
    """Options of a one-shot. None is as good as leaving it out, here as below."""

    stdin: str | None
    """The program's standard input."""
    timeout: float | None
    """Wall time in seconds."""
    memory_mb: int | None
    profile: str | None
    environment: str | None
    """Which set of packages."""
    limits: Mapping[str, int] | None
    """Lower limits than the profile's, such as `{"output_bytes": 1000}`."""
    files: Mapping[str, FileContent] | None
    """Files that the program finds in its folder."""
    return_files: Iterable[str] | None
    """Files that are to come back in `Result.files`."""


class CellOptions(TypedDict, total=False):
    """Options of a cell."""

    stdin: str | None
    """The program's standard input."""
    timeout: float | None
    """Wall time in seconds."""


class StreamedCellOptions(CellOptions, total=False):
    """Options of a cell whose output is streamed."""

    interactive: bool
    """Instead of `stdin`: `InputWanted` asks for each line, `send_stdin` gives it."""


class DetachableCellOptions(StreamedCellOptions, total=False):
    """What else `start` asks for."""

    detach: bool


class CommandOptions(TypedDict, total=False):
    """Options of a shell command."""

    stdin: str | None
    timeout: float | None


class SessionOptions(TypedDict, total=False):
    """Options of a new session."""

    profile: str | None
    environment: str | None
    """Which set of packages."""
    limits: Mapping[str, int] | None
    idle_timeout: float | None
    """Seconds without a request after which it ends."""
    files: Mapping[str, FileContent] | None


class EvaluationOptions(TypedDict, total=False):
    """Options of a judgement."""

    entry_point: str | None
    """An expression that gives the callable, such as `add` or `Solution().add`."""
    tolerance: float | None
    """By how much numbers may differ."""
    timeout: float | None
    """Seconds for each case."""


def _no_answer(response: httpx.Response) -> None:
    return None


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how to read the answer to it."""

    method: str
    path: str
    """Percent-encoded, with the query."""
    read: Callable[[httpx.Response], T]
    json: Any = None
    content: bytes | Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    also_fine: tuple[int, ...] = ()
    """Refusals that are as good as an answer."""


def answer_of(call: Call[T], response: httpx.Response) -> T:
    """What the answer says; raises `ApiError` if that is a refusal."""
    if response.status_code >= 400 and response.status_code not in call.also_fine:
        raise refusal_of(response)
    try:
        return call.read(response)
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(
            f"{call.method} {response.request.url}: an answer that is none of Vivarium's "
            f"({response.status_code}, {response.headers.get('content-type', 'no content type')})"
        ) from error


def refusal_of(response: httpx.Response) -> ApiError:
    """The exception for an answer of 400 or more, whose body has been read."""
    error = api_error_of_body(response.status_code, response.content, response.headers.get("x-request-id"))
    error.retry_after = seconds_of(response.headers.get("retry-after"))
    return error


def _body_as(read: Callable[[Json], M]) -> Callable[[httpx.Response], M]:
    return lambda response: read(response.json())


def _list_as(name: str, read: Callable[[Json], M]) -> Callable[[httpx.Response], list[M]]:
    return lambda response: [read(item) for item in response.json()[name]]


def _options(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    known = kind.__annotations__
    for name in given:
        if name not in known:
            raise TypeError(f"{name!r} is no option here: {', '.join(sorted(known))}")
    options = {name: value for name, value in given.items() if value is not None}
    if "files" in options:
        options["files"] = {path: _file_to_json(content) for path, content in options["files"].items()}
    if "return_files" in options:
        options["return_files"] = list(options["return_files"])
    return options


def _encoded(piece: str) -> str:
    """One piece of a path. Dots alone are left to the service to refuse: unencoded, the piece before
    them would be dropped on the way, and the request be about something else.
    """
    return piece.replace(".", "%2E") if piece in (".", "..") else quote(piece, safe="")


def _file_to_json(content: FileContent) -> Any:
    if isinstance(content, Path):
        content = content.read_bytes()
    if isinstance(content, str):
        return content
    return {"base64": base64.b64encode(content).decode("ascii")}


# ---- the service and one-shots ----------------------------------------------------------------


def info() -> Call[Info]:
    return Call("GET", "/api/v1/info", _body_as(Info.from_json))


def health(which: str) -> Call[str]:
    return Call("GET", f"/api/v1/health/{which}", lambda response: str(response.json()["status"]))


def execute(code: str, options: Mapping[str, Any]) -> Call[Result]:
    body = {"code": code, **_options(RunOptions, options)}
    return Call("POST", "/api/v1/execute", _body_as(Result.from_json), json=body)


# ---- sessions ---------------------------------------------------------------------------------


def create_session(session_id: str | None, options: Mapping[str, Any]) -> Call[SessionInfo]:
    body = _options(SessionOptions, options)
    if session_id is not None:
        body["id"] = session_id
    return Call("POST", "/api/v1/sessions", _body_as(SessionInfo.from_json), json=body)


def sessions() -> Call[list[SessionInfo]]:
    return Call("GET", "/api/v1/sessions", _list_as("sessions", SessionInfo.from_json))


class SessionCalls:
    """The calls about one session."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.path = "/api/v1/sessions/" + _encoded(session_id)

    def show(self) -> Call[SessionInfo]:
        return Call("GET", self.path, _body_as(SessionInfo.from_json))

    def delete(self, missing_ok: bool) -> Call[None]:
        return Call("DELETE", self.path, _no_answer, also_fine=(404,) if missing_ok else ())

    def execute(self, code: str, options: Mapping[str, Any]) -> Call[Result]:
        body = {"code": code, **_options(DetachableCellOptions, options)}
        return Call("POST", self.path + "/execute", _body_as(Result.from_json), json=body)

    def run(self, cmd: str, options: Mapping[str, Any]) -> Call[Result]:
        body = {"cmd": cmd, **_options(CommandOptions, options)}
        return Call("POST", self.path + "/run", _body_as(Result.from_json), json=body)

    def interrupt(self) -> Call[None]:
        return Call("POST", self.path + "/interrupt", _no_answer)

    def stdin(self, data: str, eof: bool) -> Call[None]:
        body: dict[str, Any] = {"data": data, "eof": True} if eof else {"data": data}
        return Call("POST", self.path + "/stdin", _no_answer, json=body)

    def reset(self, files: bool) -> Call[None]:
        return Call("POST", self.path + "/reset", _no_answer, json={"files": files})

    def undo(self) -> Call[int]:
        return Call("POST", self.path + "/undo", lambda response: int(response.json()["undo_levels"]))

    def variables(self) -> Call[list[Variable]]:
        return Call("GET", self.path + "/variables", _list_as("variables", Variable.from_json))

    def history(self) -> Call[list[HistoryEntry]]:
        return Call("GET", self.path + "/history", _list_as("history", HistoryEntry.from_json))

    def cells(self) -> Call[list[CellInfo]]:
        return Call("GET", self.path + "/cells", _list_as("cells", CellInfo.from_json))

    def cell(self, execution: int) -> Call[CellInfo]:
        return Call("GET", f"{self.path}/cells/{execution}", _body_as(CellInfo.from_json))

    def follow(self, execution: int, after: str | None) -> Call[None]:
        headers = {"Last-Event-ID": after} if after else {}
        return Call("GET", f"{self.path}/cells/{execution}", _no_answer, headers=headers)

    def evaluate(
        self, code: str, cases: Iterable[Case | Json], options: Mapping[str, Any]
    ) -> Call[Evaluation]:
        body = {
            "code": code,
            "cases": [case.to_json() if isinstance(case, Case) else dict(case) for case in cases],
            **_options(EvaluationOptions, options),
        }
        return Call("POST", self.path + "/evaluate", _body_as(Evaluation.from_json), json=body)


# ---- files ------------------------------------------------------------------------------------


class FileCalls:
    """The calls about a session's files."""

    def __init__(self, session_path: str) -> None:
        self._session = session_path

    def _file(self, path: str) -> str:
        return f"{self._session}/files/{'/'.join(map(_encoded, path.split('/')))}"

    def list(self, path: str, recursive: bool) -> Call[FileListing]:
        query = httpx.QueryParams({"path": path, "recursive": "true"} if recursive else {"path": path})
        return Call("GET", f"{self._session}/files?{query}", _body_as(FileListing.from_json))

    def read(self, path: str) -> Call[bytes]:
        return Call("GET", self._file(path), lambda response: response.content)

    def write(
        self, path: str, content: bytes | Path, if_match: str | None, if_none_match: str | None
    ) -> Call[WrittenFile]:
        headers = {"Content-Type": "application/octet-stream"}
        if if_match:
            headers["If-Match"] = if_match
        if if_none_match:
            headers["If-None-Match"] = if_none_match
        return Call("PUT", self._file(path), _read_written, content=content, headers=headers)

    def delete(self, path: str, recursive: bool) -> Call[None]:
        query = "?recursive=true" if recursive else ""
        return Call("DELETE", self._file(path) + query, _no_answer)

    def rename(self, old: str, new: str, replace: bool) -> Call[None]:
        body: dict[str, Any] = {"from": old, "to": new}
        if replace:
            body["replace"] = True
        return Call("POST", f"{self._session}/files/rename", _no_answer, json=body)

    def read_tar(self) -> Call[bytes]:
        return Call("GET", f"{self._session}/files.tar", lambda response: response.content)

    def write_tar(self, archive: bytes | Path) -> Call[None]:
        headers = {"Content-Type": "application/x-tar"}
        return Call("PUT", f"{self._session}/files.tar", _no_answer, content=archive, headers=headers)


def _read_written(response: httpx.Response) -> WrittenFile:
    body = response.json()
    return WrittenFile(body["path"], body["size"], response.headers.get("etag"))

"""What the service answers, as frozen dataclasses.

Members that a newer service adds are no error; those of a result are in its `raw`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from .errors import VivariumError

Json = Mapping[str, Any]
Status = Literal["success", "error", "timeout", "failed"]
State = Literal["kept", "restored", "lost"]


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


@dataclass(frozen=True)
class Output:
    """Something that a program displayed: one thing in one or more MIME types."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    type: str = "display_data"

    @classmethod
    def from_json(cls, body: Json) -> Output:
        return cls(dict(body["data"]), dict(body.get("metadata") or {}), body["type"])

    def content(self, mime_type: str) -> bytes | None:
        """The bytes in this type, None if there are none."""
        value = self.data.get(mime_type)
        if not isinstance(value, str):
            return None
        if mime_type.startswith("text/") or mime_type in ("image/svg+xml", "application/json"):
            return value.encode()
        return base64.b64decode(value)

    @property
    def png(self) -> bytes | None:
        """A PNG image, if it is one."""
        return self.content("image/png")

    @property
    def text(self) -> str | None:
        """The plain text."""
        value = self.data.get("text/plain")
        return value if isinstance(value, str) else None


@dataclass(frozen=True)
class ExceptionInfo:
    """The exception that ended a program."""

    type: str
    message: str
    line: int | None
    traceback: tuple[str, ...]

    @classmethod
    def from_json(cls, body: Json) -> ExceptionInfo:
        return cls(body["type"], body["message"], body.get("line"), tuple(body.get("traceback") or ()))


@dataclass(frozen=True)
class Usage:
    """What a run took, by the kernel's figures."""

    wall_ms: float
    cpu_ms: float
    memory_peak_bytes: int

    @classmethod
    def from_json(cls, body: Json) -> Usage:
        return cls(body["wall_ms"], body["cpu_ms"], body["memory_peak_bytes"])


@dataclass(frozen=True)
class Result:
    """How a program, a cell or a command ended, and what it printed."""

    status: Status
    reason: str | None
    stdout: str
    stderr: str
    result: str | None
    """The repr of the last expression."""
    outputs: tuple[Output, ...]
    exception: ExceptionInfo | None
    return_code: int
    """What a shell's caller of python3 would see; minus the signal."""
    signal: int | None
    execution_time: float
    usage: Usage
    stdout_truncated: bool
    stderr_truncated: bool
    session_id: str | None
    state: State
    """What became of the session's variables."""
    note: str | None
    """The same in a sentence."""
    execution: int | None
    """The number of the cell in its session."""
    files: Mapping[str, bytes | None]
    """Those of `return_files`; None for one that does not exist or cannot be read."""
    file_errors: Mapping[str, str]
    """Why a file could not be read."""
    raw: Json = field(repr=False)

    @classmethod
    def from_json(cls, body: Json) -> Result:
        files, file_errors = _files_from_json(body.get("files") or {})
        truncated = body.get("truncated") or {}
        return cls(
            status=body["status"],
            reason=body["reason"],
            stdout=body["stdout"],
            stderr=body["stderr"],
            result=body["result"],
            outputs=tuple(Output.from_json(output) for output in body.get("outputs") or ()),
            exception=ExceptionInfo.from_json(body["exception"]) if body.get("exception") else None,
            return_code=body["return_code"],
            signal=body["signal"],
            execution_time=body["execution_time"],
            usage=Usage.from_json(body["usage"]),
            stdout_truncated=bool(truncated.get("stdout")),
            stderr_truncated=bool(truncated.get("stderr")),
            session_id=body.get("session_id"),
            state=body.get("state", "kept"),
            note=body.get("note"),
            execution=body.get("execution"),
            files=files,
            file_errors=file_errors,
            raw=body,
        )

    @property
    def ok(self) -> bool:
        """Did it end well?"""
        return self.status == "success"

    def summary(self) -> str:
        """How it ended, in one line."""
        if self.reason == "exception" and self.exception:
            return f"{self.exception.type}: {self.exception.message}".rstrip(": ")
        if self.reason == "exit":
            return f"exited with code {self.return_code}"
        if self.signal:
            return f"{self.status}: {self.reason}, signal {self.signal}"
        return f"{self.status}: {self.reason}" if self.reason else self.status

    def check(self) -> Result:
        """Itself, if it ended well; raises `RunFailed` otherwise."""
        if not self.ok:
            raise RunFailed(self)
        return self

    def with_output(self, stdout: str, stderr: str, outputs: tuple[Output, ...]) -> Result:
        """With the text that was streamed before it."""
        return replace(
            self, stdout=stdout + self.stdout, stderr=stderr + self.stderr, outputs=self.outputs or outputs
        )


def _files_from_json(files: Json) -> tuple[dict[str, bytes | None], dict[str, str]]:
    contents: dict[str, bytes | None] = {}
    errors: dict[str, str] = {}
    for path, content in files.items():
        if isinstance(content, str):
            contents[path] = content.encode()
        elif isinstance(content, Mapping) and "base64" in content:
            contents[path] = base64.b64decode(content["base64"])
        else:
            contents[path] = None
            if isinstance(content, Mapping) and "error" in content:
                errors[path] = str(content["error"])
    return contents, errors


class RunFailed(VivariumError):
    """A run did not end well; `result` has all of it.

    Raised by `Result.check()` alone: a program that fails is otherwise a result like any other.
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        super().__init__(result.summary())


@dataclass(frozen=True)
class SessionInfo:
    """A session as the service sees it."""

    id: str
    profile: str
    environment: str
    created: datetime | None
    last_used: datetime | None
    expires: datetime | None
    executions: int
    state: Literal["idle", "running"]
    undo_levels: int
    cpu_ms: float
    memory_bytes: int
    memory_peak_bytes: int
    limits: Mapping[str, int]

    @classmethod
    def from_json(cls, body: Json) -> SessionInfo:
        usage = body["usage"]
        return cls(
            id=body["id"],
            profile=body["profile"],
            environment=body["environment"],
            created=_time(body["created"]),
            last_used=_time(body["last_used"]),
            expires=_time(body["expires"]),
            executions=body["executions"],
            state=body["state"],
            undo_levels=body["undo_levels"],
            cpu_ms=usage["cpu_ms"],
            memory_bytes=usage["memory_bytes"],
            memory_peak_bytes=usage["memory_peak_bytes"],
            limits=dict(body["limits"]),
        )


@dataclass(frozen=True)
class Variable:
    """A name that the cells of a session have defined."""

    name: str
    type: str
    repr: str | None
    size: int

    @classmethod
    def from_json(cls, body: Json) -> Variable:
        return cls(body["name"], body["type"], body["repr"], body["size"])


@dataclass(frozen=True)
class HistoryEntry:
    """One of the last cells of a session, and how it ended."""

    execution: int
    started: datetime | None
    code: str
    status: Status
    reason: str | None
    state: State
    result: str | None
    execution_time: float

    @classmethod
    def from_json(cls, body: Json) -> HistoryEntry:
        return cls(
            execution=body["execution"],
            started=_time(body["started"]),
            code=body["code"],
            status=body["status"],
            reason=body["reason"],
            state=body["state"],
            result=body["result"],
            execution_time=body["execution_time"],
        )


@dataclass(frozen=True)
class CellInfo:
    """One of the last cells of a session with what it printed; `status` is None while it runs."""

    execution: int
    started: datetime | None
    code: str
    running: bool
    waits_for_input: bool
    status: Status | None
    reason: str | None
    state: State | None
    result: str | None
    execution_time: float | None
    stdout: str
    stderr: str
    lost_bytes: int
    """How much of it is no longer kept."""
    outputs: tuple[Output, ...]
    """Not in `Session.cells()`."""
    raw: Json = field(repr=False)

    @classmethod
    def from_json(cls, body: Json) -> CellInfo:
        return cls(
            execution=body["execution"],
            started=_time(body["started"]),
            code=body["code"],
            running=body["running"],
            waits_for_input=body["waits_for_input"],
            status=body.get("status"),
            reason=body.get("reason"),
            state=body.get("state"),
            result=body.get("result"),
            execution_time=body.get("execution_time"),
            stdout=body["stdout"],
            stderr=body["stderr"],
            lost_bytes=body["lost_bytes"],
            outputs=tuple(Output.from_json(output) for output in body.get("outputs") or ()),
            raw=body,
        )


@dataclass(frozen=True)
class FileInfo:
    """One entry of a workspace."""

    path: str
    type: Literal["file", "directory", "symlink", "other"]
    size: int
    modified: datetime | None

    @classmethod
    def from_json(cls, body: Json) -> FileInfo:
        return cls(body["path"], body["type"], body["size"], _time(body["modified"]))


@dataclass(frozen=True)
class FileListing:
    """The entries of a folder; `truncated` says that there are more."""

    path: str
    files: tuple[FileInfo, ...]
    truncated: bool

    @classmethod
    def from_json(cls, body: Json) -> FileListing:
        return cls(body["path"], tuple(map(FileInfo.from_json, body["files"])), body["truncated"])


@dataclass(frozen=True)
class WrittenFile:
    """A file that was put, with the ETag to compare it by."""

    path: str
    size: int
    etag: str | None


@dataclass(frozen=True)
class Case:
    """One case of a judgement: a call (`input`, `output`) or a program (`stdin`, `stdout`)."""

    input: str | None = None
    output: str | None = None
    stdin: str | None = None
    stdout: str | None = None
    tolerance: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class CaseResult:
    """How one case went."""

    case: int
    passed: bool
    input: Any
    got: Any
    expected: Any
    error: str | None
    raw: Json = field(repr=False)

    @classmethod
    def from_json(cls, body: Json) -> CaseResult:
        return cls(
            body["case"], body["passed"], body["input"], body["got"], body["expected"], body["error"], body
        )


@dataclass(frozen=True)
class Evaluation:
    """How code was judged; `error` is set if it does not compile or load."""

    passed: bool
    cases: tuple[CaseResult, ...]
    error: str | None
    exception: ExceptionInfo | None

    @classmethod
    def from_json(cls, body: Json) -> Evaluation:
        exception = body.get("exception")
        return cls(
            body["passed"],
            tuple(map(CaseResult.from_json, body["case_results"])),
            body["error"],
            ExceptionInfo.from_json(exception) if exception else None,
        )


@dataclass(frozen=True)
class Info:
    """What the service is: versions, profiles with their limits, walls, counters."""

    name: str
    version: str
    executor_version: str
    python_version: str
    environments: Mapping[str, tuple[str, ...]]
    """Sets of packages, each with what is in it."""
    profiles: Mapping[str, Mapping[str, int]]
    isolation: Mapping[str, str]
    counters: Mapping[str, int]
    limits: Mapping[str, int]
    raw: Json = field(repr=False)

    @classmethod
    def from_json(cls, body: Json) -> Info:
        return cls(
            name=body["name"],
            version=body["version"],
            executor_version=body["executor_version"],
            python_version=body["python"]["version"],
            environments={name: tuple(one["packages"]) for name, one in body["environments"].items()},
            profiles=body["profiles"],
            isolation=body["isolation"],
            counters=body["counters"],
            limits=body["limits"],
            raw=body,
        )

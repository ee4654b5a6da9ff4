"""Client library of Vivarium, which runs untrusted Python.

    import vivarium

    with vivarium.Client() as client:
        print(client.execute("print(6 * 7)").stdout)

`Client` waits, `AsyncClient` awaits; otherwise they are the same.
"""

from ._async import AsyncClient, AsyncDetachedCell, AsyncFiles, AsyncSession, AsyncStream
from ._retry import Retry
from ._sync import Client, DetachedCell, Files, Session, Stream
from .errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    ConnectionLost,
    FieldError,
    Forbidden,
    InvalidField,
    NotFound,
    PreconditionFailed,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnexpectedAnswer,
    VivariumError,
)
from .events import Displayed, Event, Finished, Gap, InputWanted, Started, Stderr, Stdout
from .models import (
    Case,
    CaseResult,
    CellInfo,
    Evaluation,
    ExceptionInfo,
    FileInfo,
    FileListing,
    HistoryEntry,
    Info,
    Output,
    Result,
    RunFailed,
    SessionInfo,
    Usage,
    Variable,
    WrittenFile,
)

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncDetachedCell",
    "AsyncFiles",
    "AsyncSession",
    "AsyncStream",
    "BadRequest",
    "Case",
    "CaseResult",
    "CellInfo",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "ConnectionLost",
    "DetachedCell",
    "Displayed",
    "Evaluation",
    "Event",
    "ExceptionInfo",
    "FieldError",
    "FileInfo",
    "FileListing",
    "Files",
    "Finished",
    "Forbidden",
    "Gap",
    "HistoryEntry",
    "Info",
    "InputWanted",
    "InvalidField",
    "NotFound",
    "Output",
    "PreconditionFailed",
    "Result",
    "Retry",
    "RunFailed",
    "Session",
    "SessionInfo",
    "Started",
    "Stderr",
    "Stdout",
    "Stream",
    "TooLarge",
    "TooManyRequests",
    "Unavailable",
    "UnexpectedAnswer",
    "Usage",
    "Variable",
    "VivariumError",
    "WrittenFile",
]

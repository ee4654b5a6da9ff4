"""What can go wrong, as exceptions.

`VivariumError` is the base of all. `ApiError` and its kin carry the service's problem document;
`ConnectionFailed` and `ConnectionLost` mean that there was no answer. `RunFailed` stands beside
`Result`, which raises it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class VivariumError(Exception):
    """The base of everything that this package raises on purpose."""


class ConnectionFailed(VivariumError):
    """The service could not be reached, or did not answer."""


class ConnectionLost(ConnectionFailed):
    """A stream broke and could not be taken up again."""


class UnexpectedAnswer(VivariumError):
    """What answered is not Vivarium, or not a version that this package knows."""


@dataclass(frozen=True)
class FieldError:
    """One wrong field of a request."""

    field: str
    message: str


class ApiError(VivariumError):
    """The service refused a request: the members of its problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any], request_id: str | None = None) -> None:
        self.status = status
        self.type = str(problem.get("type", "about:blank"))
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", ""))
        self.instance: str | None = problem.get("instance")
        self.errors = tuple(
            FieldError(str(error.get("field", "")), str(error.get("message", "")))
            for error in problem.get("errors") or ()
        )
        self.request_id = request_id
        self.retry_after: float | None = None
        super().__init__(f"{status} {self.title}: {self.detail}".rstrip(": "))


class BadRequest(ApiError):
    """400: the request is malformed."""


class Forbidden(ApiError):
    """401 or 403: this needs an API key, or another address to ask from."""


class NotFound(ApiError):
    """404: no such session, file or cell."""


class Conflict(ApiError):
    """409: not in this state; the id is taken, no cell runs, nothing can be undone."""


class PreconditionFailed(ApiError):
    """412: the file is not the one that If-Match or If-None-Match names."""


class TooLarge(ApiError):
    """413: a body, a program or a file that is larger than is allowed."""


class InvalidField(ApiError):
    """422: a field is wrong; `errors` names it and what was expected."""


class TooManyRequests(ApiError):
    """429: asked too often; `retry_after` seconds may help."""


class Unavailable(ApiError):
    """503: no capacity, or the executor is away; `retry_after` seconds may help."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: TooLarge,
    422: InvalidField,
    429: TooManyRequests,
    503: Unavailable,
}


def api_error(status: int, problem: Mapping[str, Any], request_id: str | None = None) -> ApiError:
    """The exception for a problem document."""
    return _BY_STATUS.get(status, ApiError)(status, problem, request_id)


def api_error_of_body(status: int, body: bytes, request_id: str | None = None) -> ApiError:
    """The exception for an answer's body, which a proxy in between may have made."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": " ".join(body.decode("utf-8", "replace").split())[:200]}
    return api_error(status, problem, request_id)

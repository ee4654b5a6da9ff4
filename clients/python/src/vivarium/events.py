"""What a running program sends, one dataclass a kind of event."""

from __future__ import annotations

from dataclasses import dataclass

from .models import Json, Output, Result


@dataclass(frozen=True)
class Started:
    """The program begins; in a session, `execution` is the number of the cell."""

    id: str | None
    session_id: str | None
    execution: int | None


@dataclass(frozen=True)
class Stdout:
    """A piece of standard output."""

    id: str | None
    text: str


@dataclass(frozen=True)
class Stderr:
    """A piece of standard error."""

    id: str | None
    text: str


@dataclass(frozen=True)
class Displayed:
    """The program displayed something."""

    id: str | None
    output: Output


@dataclass(frozen=True)
class InputWanted:
    """The program waits for a line of standard input."""

    id: str | None
    prompt: str
    password: bool


@dataclass(frozen=True)
class Gap:
    """So many bytes of output are no longer there to be sent."""

    id: str | None
    lost_bytes: int


@dataclass(frozen=True)
class Finished:
    """The end: how it went, without the text that was sent before."""

    id: str | None
    result: Result


Event = Started | Stdout | Stderr | Displayed | InputWanted | Gap | Finished


def event_from_json(name: str, body: Json, event_id: str | None) -> Event | None:
    """The event of that name; None for one that this version does not know."""
    match name:
        case "start":
            return Started(event_id, body.get("session_id"), body.get("execution"))
        case "stdout":
            return Stdout(event_id, body["text"])
        case "stderr":
            return Stderr(event_id, body["text"])
        case "display":
            return Displayed(event_id, Output.from_json(body))
        case "input":
            return InputWanted(event_id, body["prompt"], bool(body.get("password")))
        case "gap":
            return Gap(event_id, body["lost_bytes"])
        case "result":
            return Finished(event_id, Result.from_json(body))
    return None

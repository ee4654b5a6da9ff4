"""What both clients share about HTTP: addresses, timeouts, headers, and requests made of calls."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ._calls import Call, refusal_of
from ._retry import Attempts, Retry
from .errors import ConnectionFailed

DEFAULT_URL = "http://127.0.0.1:5000"
CONNECT_S = 5.0
ANSWER_S = 100.0  # the service's own longest wait is 90 s
SILENCE_S = 45.0  # a stream has a comment every 15 s
PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Settings:
    """Where the service is and how to ask it."""

    url: str
    api_key: str | None
    timeout: float = ANSWER_S
    retry: Retry = field(default_factory=Retry)

    @classmethod
    def make(
        cls, url: str | None, api_key: str | None, timeout: float | None, retry: Retry | None
    ) -> Settings:
        """What is not given comes from the environment, or is a default."""
        return cls(
            url=(url or os.environ.get("VIVARIUM_URL") or DEFAULT_URL).rstrip("/"),
            api_key=api_key or os.environ.get("VIVARIUM_API_KEY") or None,
            timeout=ANSWER_S if timeout is None else timeout,
            retry=retry or Retry(),
        )

    def client_arguments(self) -> dict[str, Any]:
        """Those of httpx.Client and httpx.AsyncClient."""
        headers = {"User-Agent": "vivarium-python"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return {
            "base_url": self.url,
            "headers": headers,
            "timeout": httpx.Timeout(self.timeout, connect=CONNECT_S),
        }

    def request_arguments(self, call: Call[Any], streaming: bool) -> dict[str, Any]:
        """Those of build_request(), but for the content."""
        arguments: dict[str, Any] = {"method": call.method, "url": call.path, "headers": dict(call.headers)}
        if call.json is not None:
            arguments["json"] = call.json
        if streaming:
            arguments["timeout"] = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        if isinstance(call.content, Path):
            # Sent in pieces, and yet with its length, which the service wants to know first.
            arguments["headers"]["Content-Length"] = str(call.content.stat().st_size)
        return arguments

    def failure(self, error: httpx.TransportError) -> ConnectionFailed:
        """The exception for a request without an answer."""
        return ConnectionFailed(f"{self.url}: {str(error) or type(error).__name__}")


def pause_after(attempts: Attempts, response: httpx.Response) -> float | None:
    """Seconds until the request is to be sent again, None if its answer stands."""
    if response.status_code < 400:
        return None
    return attempts.wait_after(response.status_code, refusal_of(response).retry_after)

"""When to ask again: a refusal (429, 503) that says after how long that may help."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Retry:
    """How often and how long to wait for a service that is full.

    A refused request has not run, so it is safe to send again. `Retry(attempts=1)` never does.
    """

    attempts: int = 4
    """How often a request is sent at most."""
    longest_wait: float = 10.0
    """A service that asks for a longer wait than this (seconds) is not asked again."""
    total_wait: float = 30.0
    """Seconds to wait in all for one request."""


class Attempts:
    """The attempts of one request."""

    def __init__(self, policy: Retry) -> None:
        self._policy = policy
        self._made = 0
        self._waited = 0.0

    def wait_after(self, status: int, retry_after: float | None) -> float | None:
        """Seconds until the next attempt, None if there is to be none."""
        self._made += 1
        if status not in (429, 503) or retry_after is None or self._made >= self._policy.attempts:
            return None
        # Clients that were refused together should not come back together.
        wait = max(retry_after, 0.05) * random.uniform(1.0, 1.25)
        if wait > self._policy.longest_wait * 1.25 or self._waited + wait > self._policy.total_wait:
            return None
        self._waited += wait
        return wait


def seconds_of(retry_after: str | None) -> float | None:
    """The header's seconds, or those until its date; None if it says neither."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())

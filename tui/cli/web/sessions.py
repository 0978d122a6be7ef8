"""Browser sessions: random cookie values that this process has given out, for a limited time."""

import secrets
from collections.abc import Callable
from hashlib import sha256

SESSION_LIFE = 24 * 3600.0
"""Seconds from the token to the end of its cookie. A dashboard that is open then stays open."""
MAX_SESSIONS = 100
"""Sessions at once. One more ends the oldest."""


class BrowserSessions:
    """Table of the sessions, by the hash of their cookie."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._expires_at: dict[bytes, float] = {}

    def open(self) -> str:
        """Return the cookie of a new session."""
        if len(self._expires_at) >= MAX_SESSIONS:
            del self._expires_at[next(iter(self._expires_at))]  # each lives as long, so the first is the oldest
        cookie = secrets.token_urlsafe(32)
        self._expires_at[_digest(cookie)] = self._clock() + SESSION_LIFE
        return cookie

    def is_open(self, cookie: str) -> bool:
        """Return whether the cookie belongs to a session."""
        return self._clock() < self._expires_at.get(_digest(cookie), 0.0)


def _digest(cookie: str) -> bytes:
    return sha256(cookie.encode(errors="replace")).digest()

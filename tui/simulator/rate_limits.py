"""Rate limits of keys: fixed windows, as the services publish them. The services word the 429."""

from collections.abc import Mapping
from dataclasses import dataclass

LIMITS: Mapping[str, int] = {
    "heygen": 600,
    "camb": 600,
    "konpro": 60,
    "konpro.day": 1000,
    "flixu": 120,
    "deepl-documents": 600,
    "deepl-voice": 600,
    "operations": 600,
}
"""Requests of one key in a minute, or a day. KonPro's Pro and Flixu's Starter plan [D]; the others are unpublished, so
these are generous."""
MINUTE, DAY = 60.0, 86400.0


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """Rate limit of a key after a request."""

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    """Seconds until the tightest window ends."""


@dataclass(slots=True)
class _Window:
    opened_at: float
    used: int = 0


class RateLimiter:
    """Counter of each key's requests to each service. Rejected requests do not count."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        """Use LIMITS, with the members of `limits` replaced. Raises ValueError for an unknown one."""
        if unknown := set(limits) - set(LIMITS):
            raise ValueError(f"no such limit: {', '.join(sorted(unknown))}")
        self._limits = {**LIMITS, **limits}
        self._windows: dict[tuple[str, str], _Window] = {}

    def count_request(self, service: str, key: str, now: float) -> RateLimitStatus:
        """Count one request if it is within the limits; return the status of the key's tightest window."""
        spans = [(name, span) for name, span in ((service, MINUTE), (f"{service}.day", DAY)) if name in self._limits]
        windows = [(self._window(name, key, span, now), self._limits[name], span) for name, span in spans]
        allowed = all(window.used < limit for window, limit, _ in windows)
        for window, _, _ in windows:
            window.used += allowed
        window, limit, span = min(windows, key=lambda each: each[1] - each[0].used)
        return RateLimitStatus(allowed, limit, limit - window.used, window.opened_at + span - now)

    def _window(self, name: str, key: str, span: float, now: float) -> _Window:
        window = self._windows.get((name, key))
        if window is None or now >= window.opened_at + span:
            window = self._windows[name, key] = _Window(now)
        return window

"""Renewal of an API key that expires: its command runs again before the end of its lifetime, and after a 401."""

import asyncio
from collections.abc import Awaitable, Callable

from tui.storage.config.secrets import ApiKeySource, Secret, SecretError

MIN_INTERVAL = 60.0
"""Seconds between two runs of the command: a key that is wrong for another reason stays wrong."""
LIFETIME_MARGIN = 0.1, 60.0
"""Share of the lifetime, and seconds at most, that remain when the key is renewed."""

FetchKey = Callable[[], Awaitable[Secret | SecretError]]
"""Runs the key command, off the loop; returns why there is no new key if it fails."""


class KeyRenewal:
    """Renewal of the key of one account. Without a key command it does nothing."""

    def __init__(
        self,
        source: ApiKeySource | None,
        fetch_key: FetchKey | None,
        clock: Callable[[], float],
        lifetime: float | None = None,
    ) -> None:
        """`lifetime`: seconds of the provider's keys, unless the source has its own; None: unlimited."""
        own = source.lifetime if source is not None else None
        self._lifetime = lifetime if own is None else own
        self._fetch_key = fetch_key if source is not None and source.command is not None else None
        self._clock = clock
        self._fetched_at = clock()
        self._tried_at: float | None = None
        self._failure: SecretError | None = None
        """Why the last run of the command failed."""
        self.lock = asyncio.Lock()
        """Held during a renewal: of several requests with an expired key, one renews it."""

    def is_due(self) -> bool:
        """Return whether the key's lifetime ends soon."""
        if self._lifetime is None or not self._can_try():
            return False
        share, most = LIFETIME_MARGIN
        return self._clock() >= self._fetched_at + self._lifetime - min(share * self._lifetime, most)

    async def run(self) -> Secret | SecretError | None:
        """Run the key command. Return its key, or why it failed; None: there is none, or its last key is too new."""
        if self._fetch_key is None:
            return None
        if not self._can_try():
            return self._failure
        self._tried_at = self._clock()
        fetched = await self._fetch_key()
        if isinstance(fetched, Secret):
            self._fetched_at, self._failure = self._clock(), None
        else:
            self._failure = fetched
        return fetched

    def _can_try(self) -> bool:
        return self._fetch_key is not None and (
            self._tried_at is None or not 0 <= self._clock() - self._tried_at < MIN_INTERVAL
        )

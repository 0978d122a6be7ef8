"""Context of one engine: clock, random numbers, HTTP settings and blocking calls, passed to its parts as one value."""

import asyncio
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from tui.engine.blocking import RunBlocking, run_inline
from tui.engine.clock import Clock
from tui.engine.http.client import RequestLimits, TlsContextFactory, TransportFactory
from tui.engine.http.environment import create_tls_context


class HttpSettings(NamedTuple):
    """Settings of every HTTP client of an engine."""

    tls: TlsContextFactory
    """Returns the shared TLS context, which takes 20 ms to create."""
    transport: TransportFactory | None = None
    """Replaces the network; None for the network."""
    limits: RequestLimits = RequestLimits()


@dataclass(frozen=True, slots=True)
class EngineContext:
    """Clock, random numbers, HTTP settings and blocking calls of one engine."""

    clock: Clock
    random: Random
    http: HttpSettings
    run_blocking: RunBlocking

    @classmethod
    def create(
        cls,
        *,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        transport: TransportFactory | None = None,
        limits: RequestLimits = RequestLimits(),  # noqa: B008  frozen
        run_blocking: RunBlocking = run_inline,
    ) -> "EngineContext":
        """Return a context for an engine on the running loop, whose clock is the monotonic clock.

        `wall` returns the wall-clock time in seconds since the epoch.
        """
        return cls(
            clock=Clock(wall, asyncio.get_running_loop().time),
            random=random or Random(),
            http=HttpSettings(functools.cache(create_tls_context), transport, limits),
            run_blocking=run_blocking,
        )

    def now(self) -> float:
        """Return the current instant, in seconds since the epoch."""
        return self.clock.now()

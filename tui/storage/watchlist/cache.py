"""Cache of the watchlist in the journal, so that an unchanged file is not parsed again.

Parsing 10,000 jobs takes half a second and tens of megabytes, and gives the same jobs as the journal's states.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

import msgspec
from msgspec import Struct

from tui.domain.job_state import JobState
from tui.domain.models import Job, Ref
from tui.storage.watchlist.content import WatchlistContent

CACHE_NAME = "watchlist"
"""Name of the cache in the journal's UI state."""
HEAD_NAME = "heading"
"""Name of the cached head in the journal's UI state."""

T = TypeVar("T")
FileStamp = tuple[int, int, int]
"""Inode, size in bytes and mtime in ns of a file, as `WatchlistFile.stamp` returns them."""

HEAD_JOBS = 100
"""Jobs of a long watchlist that are read for the first frame, which shows fewer on most screens; the others follow."""


class CachedHead(Struct, frozen=True, kw_only=True):
    """Part of the cache that a first frame needs; reading it takes a hundredth of the time."""

    path: str
    stamp: FileStamp | None
    first_refs: list[Any]
    """First HEAD_JOBS pairs of a longer order; empty for a shorter one."""

    @classmethod
    def load(cls, ui_state: Mapping[str, bytes]) -> "CachedHead | None":
        """Return the head in the journal's UI state; None: there is none, or of another version."""
        return _decode(ui_state.get(HEAD_NAME), cls)


class WatchlistCache(Struct, frozen=True, kw_only=True):
    """Order of a watchlist, with the stamp of the file that it was read from."""

    path: str
    stamp: FileStamp | None
    order: list[Any] = []
    """Pairs of account and id, without building a Ref for each: all of this delays the first frame."""
    digest: str = ""
    """Digest of the jobs: the journal's states may belong to another watchlist that uses the same folder."""
    problems: tuple[str, ...] = ()
    """Problems, as in `WatchlistContent`."""

    @classmethod
    def from_content(cls, path: Path, stamp: FileStamp | None, content: WatchlistContent) -> "WatchlistCache":
        """Return the cache of a content, with the stamp that the file had before it was read."""
        return cls(
            path=str(path),
            stamp=stamp,
            order=[job.ref for job in content.jobs],
            digest=_digest(content.jobs),
            problems=content.problems,
        )

    @classmethod
    def load(cls, ui_state: Mapping[str, bytes], path: Path) -> "WatchlistCache | None":
        """Return the cache of this watchlist in the journal's UI state; None: there is none, or of another version."""
        cache = _decode(ui_state.get(CACHE_NAME), cls)
        return cache if cache is not None and cache.path == str(path) else None

    def to_ui_state(self) -> dict[str, Struct]:
        """Return the values to save as UI state, by name."""
        top = self.order[:HEAD_JOBS] if len(self.order) > HEAD_JOBS else []
        return {CACHE_NAME: self, HEAD_NAME: CachedHead(path=self.path, stamp=self.stamp, first_refs=top)}

    def states_in_order(self, states: Mapping[Ref, JobState]) -> dict[Ref, JobState]:
        """Return the states of the listed jobs, in the watchlist's order."""
        by_pair: Mapping[Any, JobState] = states
        found = (by_pair.get(tuple(pair)) for pair in self.order)
        return {state.job.ref: state for state in found if state is not None}


class RestoredBoard(NamedTuple):
    """Cache, with the journal's states of its jobs in its order."""

    cache: WatchlistCache
    states: dict[Ref, JobState]

    def content(self, stamp: FileStamp | None) -> WatchlistContent | None:
        """Return the content of the file with this stamp, or None if it must be read."""
        if stamp != self.cache.stamp or len(self.states) != len(self.cache.order):
            return None
        jobs = tuple(state.job for state in self.states.values())
        return WatchlistContent(jobs, self.cache.problems) if _digest(jobs) == self.cache.digest else None


def _digest(jobs: Iterable[Job]) -> str:
    """Return a checksum of the jobs. A cryptographic one would take 2 ms to import."""
    encode, checksum, length = msgspec.json.Encoder().encode, 0, 0
    for job in jobs:
        encoded = encode(job)
        checksum, length = crc32(encoded, checksum), length + len(encoded)
    return f"{length}-{checksum:08x}"


def _decode(stored: bytes | None, target: type[T]) -> T | None:
    """Return the stored value; None if it does not have this type."""
    try:
        return msgspec.json.decode(stored, type=target) if stored else None
    except msgspec.DecodeError:
        return None

"""What the watchlist said when an engine last read it, kept in the journal: the same file is not parsed again.

Parsing 10,000 jobs takes half a second and tens of megabytes, and leaves what the journal's states say already.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from tui.domain.job_state import JobState
from tui.domain.models import Job, Ref
from tui.storage.watchlist.parser import WatchlistContent

CACHE_NAME = "watchlist"
"""The name under which the journal keeps it."""
HEAD_NAME = "heading"
"""The name under which the journal keeps what a first frame needs of it."""

FileStamp = tuple[int, int, int]
"""A file's inode, size and mtime, as `WatchlistFile.stamp` gives them."""


HEAD_JOBS = 100
"""Jobs of a long watchlist that are read for the first frame; it shows fewer on most screens. The others follow it."""


class CachedHead(Struct, frozen=True, kw_only=True):
    """What a first frame needs of a listing, which takes a hundredth of the time to read."""

    path: str
    stamp: FileStamp | None
    first_refs: list[Any]
    """The first TOP pairs of a longer order; of any other, none."""


class WatchlistCache(Struct, frozen=True, kw_only=True):
    """A watchlist's order, and of which file's state it was."""

    path: str
    stamp: FileStamp | None
    order: list[Any] = []
    """Pairs of account and id: not one Ref for each, since all of this stands between start and first frame."""
    digest: str = ""
    """Of all that was said of the jobs: the journal's states may be another watchlist's on the same folder."""
    problems: tuple[str, ...] = ()
    """As `Reading` has them."""

    @classmethod
    def from_content(cls, path: Path, stamp: FileStamp | None, content: WatchlistContent) -> "WatchlistCache":
        """What is to be remembered of a reading, with the stamp that the file had before it was read."""
        return cls(
            path=str(path),
            stamp=stamp,
            order=[job.ref for job in content.jobs],
            digest=_digest(content.jobs),
            problems=content.problems,
        )

    def to_ui_state(self) -> dict[str, Struct]:
        """What the journal is to remember, by name."""
        top = self.order[:HEAD_JOBS] if len(self.order) > HEAD_JOBS else []
        return {CACHE_NAME: self, HEAD_NAME: CachedHead(path=self.path, stamp=self.stamp, first_refs=top)}

    def states_in_order(self, states: Mapping[Ref, JobState]) -> dict[Ref, JobState]:
        """Those of the states that were listed, in the list's order."""
        by_pair: Mapping[Any, JobState] = states
        found = (by_pair.get(tuple(pair)) for pair in self.order)
        return {state.job.ref: state for state in found if state is not None}


class RestoredBoard(NamedTuple):
    """A listing, and what the journal knows of its jobs, in its order."""

    cache: WatchlistCache
    states: dict[Ref, JobState]

    def content(self, stamp: FileStamp | None) -> WatchlistContent | None:
        """What the file says whose stamp this is; None: it must be read."""
        jobs = tuple(state.job for state in self.states.values())
        same = stamp == self.cache.stamp and len(jobs) == len(self.cache.order)
        return WatchlistContent(jobs, self.cache.problems) if same and _digest(jobs) == self.cache.digest else None


def _digest(jobs: Iterable[Job]) -> str:
    from hashlib import blake2b  # 2 ms, and `list` starts without

    digest, encode = blake2b(digest_size=16), msgspec.json.Encoder().encode
    for job in jobs:
        digest.update(encode(job))
    return digest.hexdigest()

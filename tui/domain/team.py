"""Watchlists of a team, merged into one board for workers and for an operator, and the assignment of its accounts."""

import hashlib
import math
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from tui.domain.models import Job, Ref


def merge_lists(lists: Mapping[str, Sequence[Job]], own: str) -> tuple[Job, ...]:
    """Return the jobs of all watchlists, each once. `own`: name of the watchlist whose texts and files count here.

    A job is archived or muted if it is on every list that has it; its links are kept if one list wants that. The first
    list by name decides its kind.
    """
    return tuple(_merge(found, own) for found in _by_ref(lists).values())


def team_board(lists: Mapping[str, Sequence[Job]], own: str) -> tuple[Job, ...]:
    """Return the jobs of all watchlists with their owners, those of `own` first, as its operator sees them."""
    first = {own: lists.get(own, ()), **lists}
    return tuple(
        replace(
            found[own] if own in found else replace(_merge(found, own), muted=False),
            owners=tuple(found),
            is_foreign=own not in found,
        )
        for found in _by_ref(first).values()
    )


def _by_ref(lists: Mapping[str, Sequence[Job]]) -> dict[Ref, dict[str, Job]]:
    """Return the entries of each job by the name of the watchlist."""
    entries: dict[Ref, dict[str, Job]] = {}
    for name, jobs in lists.items():
        for job in jobs:
            entries.setdefault(job.ref, {}).setdefault(name, job)
    return entries


def _merge(found: Mapping[str, Job], own: str) -> Job:
    first = next(iter(found.values()))
    mine = found.get(own)
    if len(found) == 1 and (mine is not None or not first.download):  # of 100,000 jobs: 0.1 s
        return first
    return replace(
        mine or first,
        kind=first.kind,
        archived=all(job.archived for job in found.values()),
        muted=all(job.muted for job in found.values()),
        keep_link=any(job.keep_link for job in found.values()),
        download=mine is not None and mine.download,
    )


AccountSet = Container[str]
"""Set of accounts, perhaps of all there are."""


class AllExcept:
    """AccountSet of all accounts, known or not, but a few."""

    def __init__(self, excluded: Collection[str] = ()) -> None:
        self._excluded = frozenset(excluded)

    def __contains__(self, account: object, /) -> bool:
        return account not in self._excluded


EVERY_ACCOUNT = AllExcept()
NO_ACCOUNT: frozenset[str] = frozenset()


class Worker(NamedTuple):
    """Process that may poll for the team."""

    name: str
    """The same at every start of this worker."""
    accounts: Collection[str]
    """Accounts that it can poll: it has their keys."""
    weight: float = 1.0
    """Share of the accounts, relative to other workers; above 0."""
    age: float = 0.0
    """Seconds since its start."""


def leader_of(account: str, workers: Iterable[Worker]) -> Worker | None:
    """Return the worker that is to poll the account, of those that are alive; None if none can.

    Weighted rendezvous hashing: every process picks the same one, and a further worker takes accounts from all others,
    which exchange none.
    """
    able = (worker for worker in workers if account in worker.accounts)
    return max(able, key=lambda worker: (_score(account, worker), worker.age), default=None)


def _score(account: str, worker: Worker) -> float:
    """Return a number, at random but always the same, that is the highest as often as the weight demands."""
    digest = hashlib.sha256(f"{account}\n{worker.name}".encode()).digest()
    uniform = (int.from_bytes(digest[:6]) + 0.5) / 2**48  # above 0 and below 1
    return -worker.weight / math.log(uniform)

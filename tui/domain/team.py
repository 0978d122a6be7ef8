"""Watchlists of a team: their jobs merged into one board, for the process that polls and for an operator."""

from collections.abc import Mapping, Sequence

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
    return replace(
        mine or first,
        kind=first.kind,
        archived=all(job.archived for job in found.values()),
        muted=all(job.muted for job in found.values()),
        keep_link=any(job.keep_link for job in found.values()),
        download=mine is not None and mine.download,
    )

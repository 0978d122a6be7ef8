"""Parts of a job, such as its target languages: their counts, and the phase of a job that they make."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from tui.domain.models import ENDED, PROBLEMS, JobPart, Link, PartChange, PartCounts, Phase

SomeFailed = Literal["done", "failed"]
"""Phase of a job of which some parts are done and the others are not."""
MAX_CHANGES = 300
"""Phase changes of its parts that a job keeps."""
MAX_NAMED = 5
"""Failed parts that a message names."""


def fold_phase(
    own: Phase | None,
    has_own_status: bool,
    parts: Sequence[JobPart],
    counts: PartCounts | None,
    some_failed: SomeFailed,
) -> Phase | None:
    """Return the phase of a job with parts; None: unknown.

    `own`: phase of the job's own status, which counts unless it is done or `has_own_status` is false.
    """
    if has_own_status and own is not Phase.DONE:
        return own
    if not parts:
        if own is Phase.DONE and counts is not None and counts.failed and counts.done + counts.failed >= counts.total:
            return Phase(some_failed) if counts.done else Phase.FAILED
        return own if has_own_status else Phase.QUEUED
    phases = [part.phase for part in parts]
    if None in phases:
        return None
    if any(phase not in ENDED for phase in phases):
        return Phase.QUEUED if all(phase is Phase.QUEUED for phase in phases) else Phase.RUNNING
    if Phase.BLOCKED in phases:
        return Phase.BLOCKED
    if Phase.DONE in phases:
        return Phase.DONE if set(phases) == {Phase.DONE} else Phase(some_failed)
    return phases[0] if len(set(phases)) == 1 else Phase.FAILED


def count(parts: Sequence[JobPart]) -> PartCounts | None:
    """Return the counts of the parts; None: there are none."""
    if not parts:
        return None
    done = sum(part.phase is Phase.DONE for part in parts)
    return PartCounts(done, sum(part.phase in PROBLEMS for part in parts), len(parts))


def changes_with(before: Sequence[PartChange], parts: Sequence[JobPart], at: float) -> tuple[PartChange, ...]:
    """Return the phase changes of a job's parts, with those that a report at instant `at` shows; the last MAX_CHANGES.

    A part whose status is unknown keeps its phase.
    """
    last = {change.part: change.after for change in before}
    new: list[PartChange] = []
    counts = Counter[str]()
    for number, part in enumerate(parts, 1):
        name = part.language or part.id or str(number)
        counts[name] += 1
        name = name if counts[name] == 1 else f"{name} {counts[name]}"
        if part.phase is not None and last.get(name) is not part.phase:
            new.append(PartChange(name, part.phase, at))
    return (*before, *new)[-MAX_CHANGES:]


def links_of(links: Sequence[Link], language: str | None) -> tuple[Link, ...]:
    """Return the links of the part with this language; none without a language."""
    return tuple(link for link in links if link.language == language) if language else ()


def progress(counts: PartCounts | None) -> float | None:
    """Return the share of the parts that ended; None: there are fewer than two."""
    if counts is None or counts.total < 2:
        return None
    return min(1.0, (counts.done + counts.failed) / counts.total)


def failure_message(parts: Sequence[JobPart], counts: PartCounts | None) -> str | None:
    """Return which parts failed and why; None: none did."""
    if counts is None or not counts.failed:
        return None
    failed = [part for part in parts if part.phase in PROBLEMS]
    named = [f"{part.language or part.id or 'a part'}: {part.message or part.phase}" for part in failed[:MAX_NAMED]]
    named += [f"{len(failed) - MAX_NAMED} more"] if len(failed) > MAX_NAMED else []
    named += [f"{counts.failed} failed"] if not failed else []
    return "; ".join([*named, f"{counts.done} of {counts.total} done"])

"""Batches for the journal whose states, changes and bodies have one number."""

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Job, Phase, Ref
from tui.storage.journal.journal import JournalEntry

JOBS = 20


def journal_batch(number: int) -> list[JournalEntry]:
    """Return entries in which every job changes its phase, all with this number."""
    before, after = (Phase.RUNNING, Phase.QUEUED) if number % 2 else (Phase.QUEUED, Phase.RUNNING)
    return [
        JournalEntry(
            JobState(job=Job(account="a", id=str(job)), phase=after, poll_count=number, checked_at=float(number)),
            PhaseChange(Ref("a", str(job)), before, after, None, float(number), ""),
            b"%d" % number,
            float(number),
        )
        for job in range(JOBS)
    ]

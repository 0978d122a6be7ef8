"""Entries of jobs for a journal, and the candidacy of a worker that can poll their accounts."""

from tui.domain.job_state import JobState, StatusReceived, reduce
from tui.domain.models import Job, Phase, Ref, Report
from tui.storage.journal.journal import JournalEntry
from tui.storage.protocols import Candidacy

NOW = 1_800_000_000.0
A, B = Ref("heygen", "a"), Ref("heygen", "b")
ALL = Candidacy(frozenset({"heygen", "dubs", "other"}))


def entry(
    ref: Ref = A, phase: Phase = Phase.RUNNING, at: float = NOW, before: JobState | None = None, **more: object
) -> JournalEntry:
    """Return the entry of a job whose status was received at an instant, after the state `before`."""
    state, change = reduce(
        before or JobState(job=Job(account=ref.account, id=ref.id)),
        StatusReceived(Report(phase=phase, raw_status=phase.value), at),
    )
    return JournalEntry(state, change, received_at=at, **more)

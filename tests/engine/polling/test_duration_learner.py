import pytest

from tests.domain.polling.test_schedule import JOB, NOW, after, status
from tui.domain.job_state import reduce
from tui.domain.models import Phase
from tui.domain.polling.duration_model import ObservedDuration
from tui.engine.polling.duration_learner import REFIT_INTERVAL, DurationLearner, observed_duration
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import Journal, JournalEntry


def lives(*steps):
    """Return the journal entries of a job with these phases at these ages."""
    state = None
    for phase, age in steps:
        state, change = reduce(state or after(), status(phase, NOW + age))
        yield JournalEntry(state, change, received_at=NOW + age)


SEEN = ((Phase.QUEUED, 0), (Phase.RUNNING, 30), (Phase.RUNNING, 90), (Phase.DONE, 120))


@pytest.mark.parametrize(
    ("steps", "taught"),
    [
        (SEEN, ObservedDuration(90, 120)),
        (((Phase.DONE, 0),), None),
        (((Phase.RUNNING, 0), (Phase.BLOCKED, 30)), None),
        (((Phase.RUNNING, 0), (Phase.FAILED, 30)), ObservedDuration(0, 30)),
        (((Phase.FAILED, 0), (Phase.RUNNING, 5000), (Phase.DONE, 5030)), ObservedDuration(0, 30)),
    ],
)
def test_journal_and_engine_learn_the_same_durations(tmp_path, steps, taught):
    journal, entries = Journal(tmp_path / "journal.db"), list(lives(*steps))
    journal.record(entries)
    assert journal.durations("a", "", 200) == (() if taught is None else (taught,))
    assert journal.durations("a", "dub", 200) == journal.durations("b", "", 200) == ()
    last = entries[-1]
    assert (observed_duration(last.state, last.change) if last.change else None) == taught
    journal.close()


async def test_learned_durations_survive_a_restart_and_grow():
    async def past(account, kind, most):
        return [ObservedDuration(90, 120)] * 2

    now = [NOW]
    learning = DurationLearner(past, lambda: now[0])
    await learning.load([JOB])
    assert learning.fit(JOB, "text") is None
    last = list(lives(*SEEN))[-1]
    learning.on_phase_change(last.state, last.change)
    now[0] += REFIT_INTERVAL
    assert learning.fit(JOB, "text").sample_count == 3


async def test_an_unreadable_journal_gives_no_durations():
    async def past(account, kind, most):
        raise JournalError("damaged")

    learning = DurationLearner(past, lambda: NOW)
    await learning.load([JOB])
    assert learning.fit(JOB, "text") is None

"""Fleet's report from a journal: read page by page, and from the start again when the journal is another one."""

import asyncio
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import few_examples
from tui.domain.fleet import slot_of
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import FaultKind, Job, Phase, RequestRecord
from tui.engine.journal.fleet_reader import FleetReader
from tui.storage.journal import fleet
from tui.storage.journal.journal import Journal, JournalEntry
from tui.storage.journal.shared import LocalStorage

NOW = 1_795_270_000.0
"""2026-11-21T14:06:40Z."""
DAY = 86400.0


def ended(number: int, at: float, phase: Phase = Phase.DONE, took: float = 60.0, kind: str = "") -> JournalEntry:
    job = Job(account="a", id=str(number), kind=kind)
    state = JobState(job=job, phase=phase, phase_since=at, first_polled_at=at - took, checked_at=at)
    change = PhaseChange(job.ref, Phase.RUNNING, phase, at, at, "")
    fault = FaultKind.SERVER if phase is Phase.FAILED else None
    return JournalEntry(state, change, None, at, RequestRecord(at, 200, 120.0 + number, None, fault))


def reader_of(journal: Journal) -> FleetReader:
    return FleetReader(LocalStorage(lambda: journal, Path(), Path()).journal, {}, lambda: NOW)


def read(reader: FleetReader):
    return asyncio.run(reader.report(UTC))


entries = st.lists(
    st.tuples(
        st.floats(0, 20 * DAY),
        st.sampled_from([Phase.DONE, Phase.FAILED, Phase.TIMED_OUT, Phase.RUNNING]),
        st.floats(1, 1e4),
        st.sampled_from(["", "dub"]),
        st.booleans(),
    ),
    max_size=30,
)


@given(entries)
@few_examples
def test_reading_as_the_journal_grows_gives_the_report_of_reading_it_at_once(drawn):
    page_rows, fleet.PAGE_ROWS = fleet.PAGE_ROWS, 3
    try:
        journal = Journal(None)
        reader = reader_of(journal)
        for number, (ago, phase, took, kind, is_read) in enumerate(drawn):
            journal.record([ended(number, NOW - ago, phase, took, kind)])
            if is_read:
                read(reader)
        assert read(reader) == read(reader_of(journal))
    finally:
        fleet.PAGE_ROWS = page_rows
        journal.close()


@pytest.fixture
def journal():
    journal = Journal(None)
    yield journal
    journal.close()


def test_a_report_counts_ends_and_requests_of_the_journal(journal: Journal):
    phases = [Phase.DONE] * 3 + [Phase.FAILED]
    journal.record([ended(number, NOW - 3600 * number, phase) for number, phase in enumerate(phases)])
    report = read(reader_of(journal))
    jobs, requests = report.kinds["a", ""], report.accounts["a"]
    assert (jobs.done_today, jobs.failed_today, jobs.failure_rate) == (3, 1, 0.25)
    assert jobs.median == pytest.approx(60, rel=0.02)
    assert (requests.minute_count, requests.day_count, requests.fault_rate) == (1, 4, 0.25)
    assert requests.latency == pytest.approx(0.12, rel=0.02)


def test_a_job_that_had_ended_before_its_first_poll_has_no_duration(journal: Journal):
    state = JobState(job=Job(account="a", id="1"), phase=Phase.DONE, first_polled_at=NOW, checked_at=NOW)
    change = PhaseChange(state.job.ref, Phase.NEW, Phase.DONE, None, NOW, "")
    journal.record([JournalEntry(state, change)])
    reader = reader_of(journal)
    read(reader)
    assert reader._aggregates._kinds["a", ""].durations(0, slot_of(NOW)).total() == 0


def test_another_journal_is_read_from_its_start(journal: Journal):
    other = Journal(None)
    journal.record([ended(number, NOW) for number in range(5)])
    other.record([ended(number, NOW) for number in range(2)])
    current = [journal]
    reader = FleetReader(LocalStorage(lambda: current[-1], Path(), Path()).journal, {}, lambda: NOW)
    assert read(reader).kinds["a", ""].done_today == 5
    current.append(other)
    assert read(reader).kinds["a", ""].done_today == 2
    other.close()


def test_tables_that_were_emptied_are_read_from_their_start(journal: Journal):
    journal.record([ended(number, NOW) for number in range(5)])
    reader = reader_of(journal)
    read(reader)
    assert journal.prune(NOW + 91 * DAY)
    journal.record([ended(7, NOW)])
    assert read(reader).kinds["a", ""].done_today == 1

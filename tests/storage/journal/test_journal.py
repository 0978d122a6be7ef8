import fcntl
import os
import re
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tui.domain import job_state
from tui.domain.job_state import JobState, PhaseChange, PollFailed, StatusReceived
from tui.domain.models import (
    Fault,
    FaultKind,
    Job,
    Link,
    LinkKind,
    Phase,
    PollReason,
    Ref,
    Report,
    ReportedLink,
    RequestRecord,
)
from tui.storage.journal.database import BUSY_TIMEOUT, JournalError
from tui.storage.journal.journal import MAX_BODY_BYTES, PRUNE_STEP, RETENTION, Journal, JournalEntry
from tui.storage.journal.migrations import MIGRATIONS, UNSUPPORTED_VERSION

NOW = 1_800_000_000.0
A = Ref("heygen", "a")
WEEK = 7 * 86400.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def opened(path):
    """Opens journals on the file, each as another process would."""
    journals = []

    def opening():
        journals.append(Journal(path))
        return journals[-1]

    yield opening
    for journal in journals:
        journal.close()


def state(phase=Phase.RUNNING, at=NOW, ref=A, **more):
    return JobState(job=Job(account=ref.account, id=ref.id), phase=phase, phase_since=at, checked_at=at, **more)


def change(before, after, at=NOW, ref=A):
    return PhaseChange(ref, before, after, at - 15, at, "reported so")


def test_recorded_values_are_read_by_the_next_process(opened):
    link = Link(LinkKind.VIDEO, "https://cdn.test/1?x=ü", NOW, NOW + WEEK, expiry_is_exact=False)
    fault = Fault(FaultKind.LIMITED, "wait", 429, NOW + 38, "req-1")
    report = Report(
        phase=Phase.DONE, raw_status="success", title="بہار", links=(ReportedLink(LinkKind.VIDEO, link.url, WEEK),)
    )
    whole = state(Phase.DONE, links=(link,), fault=fault, report=report, result="Hola\n", next_poll_at=NOW + 1)
    opened().record([JournalEntry(whole, change(Phase.RUNNING, Phase.DONE), b'{"data": 1}', NOW)])
    other = opened()
    assert other.states() == {A: whole}
    assert other.last_body(A) == (b'{"data": 1}', NOW)
    assert other.phase_changes([A]) == {A: (change(Phase.RUNNING, Phase.DONE),)}


def test_unknown_refs_have_no_state(opened):
    journal = opened()
    assert (journal.states(), journal.states([A]), journal.last_body(A), journal.phase_changes([A])) == (
        {},
        {},
        None,
        {A: ()},
    )


def test_a_few_states_and_many_states_are_read_with_the_same_result(opened):
    journal = opened()
    refs = [Ref("heygen", str(number)) for number in range(500)]
    journal.record([JournalEntry(state(ref=ref)) for ref in refs])
    strange = Ref("heygen", "strange")
    assert journal.states([*refs[:10], strange]).keys() == set(refs[:10])
    assert journal.states([*refs[:400], strange]).keys() == set(refs[:400])


def test_states_that_share_their_values_are_the_same_and_have_one_object_of_each(opened):
    jobs = [Job(account="heygen", id=str(number), tags=("spring", f"t{number % 2}")) for number in range(4)]
    report = Report(phase=Phase.FAILED, raw_status="failed", language="ur", message="voice not found")
    opened().record([JournalEntry(JobState(job=job, phase=Phase.FAILED, report=report)) for job in jobs])
    shared = opened().states(share_values=True)
    assert shared == opened().states()
    found = list(shared.values())
    assert len({id(each.job.account) for each in found}) == 1
    assert len({id(each.job.tags) for each in found}) == 2
    assert len({id(each.report.raw_status) for each in found}) == 1
    assert len({id(each.report.message) for each in found}) == 1


def test_a_body_is_cut_at_64_kib_and_stays_until_another_comes(opened):
    journal = opened()
    journal.record([JournalEntry(state(), None, b"x" * (MAX_BODY_BYTES + 1), NOW)])
    journal.record([JournalEntry(state(at=NOW + 5), None, None, NOW + 5)])
    assert journal.last_body(A) == (b"x" * MAX_BODY_BYTES, NOW)


def test_a_phase_change_that_two_processes_saw_is_recorded_by_the_first(opened):
    first, second = opened(), opened()
    first.record([JournalEntry(state())])
    mine = first.record([JournalEntry(state(Phase.DONE, NOW + 60), change(Phase.RUNNING, Phase.DONE, NOW + 60))])
    theirs = second.record([JournalEntry(state(Phase.DONE, NOW + 61), change(Phase.RUNNING, Phase.DONE, NOW + 61))])
    assert (len(mine), theirs) == (1, ())
    assert [found.seen for found in second.phase_changes([A])[A]] == [NOW + 60]


def test_an_outdated_state_does_not_replace_a_later_one_of_another_process(opened):
    first, second = opened(), opened()
    first.record([JournalEntry(state())])
    second.external_changes()
    first.record(
        [JournalEntry(state(Phase.DONE, NOW + 60), change(Phase.RUNNING, Phase.DONE, NOW + 60), b"new", NOW + 60)]
    )
    late, _ = job_state.reduce(state(), PollFailed(Fault(FaultKind.OFFLINE, "gone"), NOW + 61))
    second.record([JournalEntry(late, None, b"old", NOW + 61)])
    assert second.states()[A].phase is Phase.DONE
    assert second.last_body(A) == (b"new", NOW + 60)
    again = second.record([JournalEntry(state(Phase.DONE, NOW + 62), change(Phase.RUNNING, Phase.DONE, NOW + 62))])
    assert again == ()
    assert len(second.phase_changes([A])[A]) == 1


def test_a_process_still_writes_its_states_after_its_clock_is_set_back(opened):
    journal = opened()
    journal.record([JournalEntry(state(at=NOW))])
    journal.record([JournalEntry(state(Phase.DONE, NOW - 3600), change(Phase.RUNNING, Phase.DONE, NOW - 3600))])
    assert journal.states()[A].phase is Phase.DONE


def test_a_job_may_enter_a_phase_again(opened):
    journal = opened()
    for at, (before, after) in enumerate([("new", "running"), ("running", "failed"), ("failed", "running")]):
        step = change(Phase(before), Phase(after), NOW + at)
        assert journal.record([JournalEntry(state(Phase(after), NOW + at), step)]) == (step,)
    assert [found.after for found in journal.phase_changes([A])[A]] == ["running", "failed", "running"]


def test_the_anchor_of_an_estimated_expiry_survives_the_process(opened):
    report = Report(
        phase=Phase.DONE, raw_status="success", links=(ReportedLink(LinkKind.VIDEO, "https://cdn.test/1", WEEK),)
    )
    first, step = job_state.reduce(state(), StatusReceived(report, NOW))
    opened().record([JournalEntry(first, step)])
    found = opened().states()[A]
    later, _ = job_state.reduce(found, StatusReceived(report, NOW + 86400))
    assert later.links[0].first_seen == NOW
    assert later.links[0].expires_at == NOW + WEEK


def test_external_changes_are_those_of_other_processes_alone(opened):
    first, second = opened(), opened()
    b = Ref("heygen", "b")
    second.record([JournalEntry(state(ref=b))])
    assert second.external_changes() == {}
    first.record([JournalEntry(state())])
    assert second.external_changes().keys() == {A}
    assert second.external_changes() == {}
    first.record([JournalEntry(state(Phase.DONE, NOW + 1))])
    second.record([JournalEntry(state(Phase.DONE, NOW + 2, ref=b))])
    assert second.external_changes().keys() == {A}
    assert first.external_changes().keys() == {b}


def with_request(at, ref=A, fault=None):
    return JournalEntry(
        state(ref=ref, at=at), None, None, at, RequestRecord(at, 200 if fault is None else None, 12.5, "req-1", fault)
    )


def test_every_request_is_kept_and_the_newest_is_first(opened):
    journal = opened()
    journal.record(
        [
            with_request(NOW),
            with_request(NOW + 1, fault=FaultKind.TIMEOUT),
            with_request(NOW + 2, ref=Ref("heygen", "b")),
        ]
    )
    assert journal.requests(A, 10) == (
        RequestRecord(NOW + 1, None, 12.5, "req-1", FaultKind.TIMEOUT),
        RequestRecord(NOW, 200, 12.5, "req-1", None),
    )
    assert journal.requests(A, 1) == journal.requests(A, 10)[:1]


def test_the_request_of_an_outdated_state_is_kept(opened):
    first, second = opened(), opened()
    first.record([with_request(NOW)])
    second.external_changes()
    first.record([with_request(NOW + 60)])
    second.record([with_request(NOW + 30)])
    assert [each.ended_at for each in first.requests(A, 10)] == [NOW + 30, NOW + 60, NOW]
    assert first.states()[A].checked_at == NOW + 60


def test_rows_older_than_ninety_days_are_deleted_in_steps_and_states_stay(opened, path):
    journal = opened()
    link = Link(LinkKind.VIDEO, "https://cdn.test/1", NOW, NOW + WEEK, expiry_is_exact=False)
    old = JournalEntry(
        state(links=(link,)), change(Phase.NEW, Phase.RUNNING), b"body", NOW, RequestRecord(NOW, 200, 1.0, None, None)
    )
    young = NOW + RETENTION
    journal.record(
        [old, *(with_request(NOW + 1) for _ in range(PRUNE_STEP + 9)), with_request(young, ref=Ref("heygen", "b"))]
    )
    counts = [journal.prune(young + 60) for _ in range(3)]
    assert counts[0] > PRUNE_STEP
    assert counts[1] == 10
    assert counts[2] == 0
    assert journal.states().keys() == {A, Ref("heygen", "b")}
    assert (journal.last_body(A), journal.phase_changes([A])[A], journal.requests(A, 10)) == (None, (), ())
    assert len(journal.requests(Ref("heygen", "b"), 10)) == 1


def test_requests_past_the_maximum_are_deleted_however_new(opened, monkeypatch):
    monkeypatch.setattr("tui.storage.journal.journal.MAX_REQUESTS", 100)
    journal = opened()
    journal.record([with_request(NOW + number) for number in range(250)])
    journal.prune(NOW)
    assert [each.ended_at for each in journal.requests(A, 1000)] == [NOW + number for number in range(249, 149, -1)]


def test_the_state_of_a_job_that_was_listed_last_ninety_days_ago_is_deleted(opened):
    journal = opened()
    b, never = Ref("heygen", "b"), Ref("heygen", "never-listed")
    journal.record([JournalEntry(state(ref=ref)) for ref in (A, b, never)])
    journal.mark_listed([A, b], NOW)
    journal.mark_listed([b], NOW + WEEK)
    journal.prune(NOW + RETENTION)
    assert journal.states().keys() == {A, b, never}
    journal.prune(NOW + RETENTION + 1)
    assert journal.states().keys() == {b, never}
    journal.prune(NOW + RETENTION + WEEK + 1)
    assert journal.states().keys() == {never}


@pytest.mark.parametrize("version", [1, UNSUPPORTED_VERSION])
def test_a_journal_of_an_older_program_is_renamed_whole_with_a_notice(opened, path, version):
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.executescript(f"CREATE TABLE job (state); INSERT INTO job VALUES ('{{}}'); PRAGMA user_version={version}")
    content = path.read_bytes()
    journal = opened()
    assert journal.states() == {}
    journal.record([with_request(NOW)])
    (renamed,) = path.parent.glob("journal.db.outdated-*")
    assert renamed.read_bytes() == content
    (notice,) = journal.notices
    assert "written by an older babeltop: renamed to journal.db.outdated-" in notice
    assert opened().notices == ()
    assert opened().states().keys() == {A}


@pytest.mark.parametrize("_", range(5))  # the order in which threads run differs
def test_of_many_that_find_an_older_journal_one_renames_it(path, _):
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.execute(f"PRAGMA user_version={UNSUPPORTED_VERSION}")

    def one(number):
        with closing(Journal(path)) as journal:
            journal.record([JournalEntry(state(ref=Ref("heygen", str(number))))])
            return len(journal.notices)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 1
    assert len([*path.parent.glob("journal.db.outdated-*")]) == 1
    with closing(Journal(path)) as journal:
        assert len(journal.states()) == 8


def test_a_journal_of_this_program_keeps_its_version(opened, path):
    opened()
    with closing(sqlite3.connect(path)) as other:
        (version,) = other.execute("PRAGMA user_version").fetchone()
    assert version == UNSUPPORTED_VERSION + len(MIGRATIONS)


def test_requests_have_no_column_for_keys_or_urls(opened, path):
    opened()
    other = sqlite3.connect(path)
    columns = [row[1] for row in other.execute("PRAGMA table_info(request)")]
    other.close()
    assert columns == ["seq", "account", "id", "ended_at", "http_status", "duration_ms", "request_id", "fault"]


def test_a_batch_is_written_completely_or_not_at_all(opened, path):
    journal = opened()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TRIGGER no BEFORE INSERT ON job WHEN new.id = 'b' BEGIN SELECT raise(ABORT, 'no'); END")
    other.close()
    with pytest.raises(JournalError, match="could not be written: no"):
        journal.record(
            [JournalEntry(state(), change(Phase.NEW, Phase.RUNNING)), JournalEntry(state(ref=Ref("heygen", "b")))]
        )
    assert journal.states() == {}
    assert journal.phase_changes([A])[A] == ()
    journal.record([JournalEntry(state())])
    assert journal.states().keys() == {A}


def test_a_new_file_is_private(opened, path):
    journal = opened()
    journal.record([JournalEntry(state())])
    assert {oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {"0o600"}


def test_a_newer_schema_is_refused_with_the_remedy_and_unchanged(opened, path):
    with closing(Journal(path)) as journal:
        journal.record([JournalEntry(state())])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA user_version=99")
    other.execute("PRAGMA journal_mode=DELETE")
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"newer babeltop \(schema 99.*Update babeltop"):
        Journal(path)
    assert path.read_bytes() == before
    other = sqlite3.connect(path)
    assert other.execute("SELECT count(*) FROM job").fetchone() == (1,)
    other.close()


def damaged_files(path):
    return sorted(path.parent.glob("journal.db.damaged-*"))


DAMAGED = {"no database": b"this is no database, " * 500, "only a head": b"SQLite format 3\0" + b"\xff" * 5000}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_renamed_whole_and_a_new_one_created(path, opened, content):
    path.write_bytes(content)
    journal = opened()
    journal.record([JournalEntry(state())])
    assert [each.read_bytes() for each in damaged_files(path)] == [content]
    (notice,) = journal.notices
    assert "was damaged" in notice
    assert damaged_files(path)[0].name in notice
    assert opened().notices == (), "the next one finds a good file"
    assert opened().states().keys() == {A}


def test_a_second_damaged_file_of_a_day_does_not_replace_the_first(path):
    for content in DAMAGED.values():
        path.write_bytes(content)
        Journal(path).close()
        path.unlink()
    assert {each.read_bytes() for each in damaged_files(path)} == set(DAMAGED.values())


def test_of_many_that_find_the_damage_one_renames_the_file(path):
    path.write_bytes(DAMAGED["no database"])

    def one(number):
        journal = Journal(path)
        journal.record([JournalEntry(state(ref=Ref("heygen", str(number))))])
        journal.close()
        return len(journal.notices)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 1
    assert len(damaged_files(path)) == 1
    journal = Journal(path)
    assert len(journal.states()) == 8
    journal.close()


def test_a_file_that_is_moved_away_while_it_is_open_is_created_again(path, opened):
    journal = opened()
    journal.record([JournalEntry(state())])
    path.rename(path.with_name("kept"))
    b = Ref("heygen", "b")
    journal.record([JournalEntry(state(ref=b))])
    assert journal.states().keys() == opened().states().keys() == {b}
    other = opened()
    other.record([JournalEntry(state(at=NOW + 9))])
    assert journal.external_changes().keys() == {A}


def test_damage_found_while_reading_is_reported_once_and_the_file_renamed(path):
    journal = Journal(path)
    journal.record([JournalEntry(state(ref=Ref("heygen", str(number)))) for number in range(2000)])
    journal.close()
    content = path.read_bytes()
    whole = len(content) * 3 // 4
    path.write_bytes(content[:whole] + b"\x5a" * (len(content) - whole))
    journal = Journal(path)
    with pytest.raises(JournalError, match=r"could not be read.*a new journal was created"):
        journal.states()
    assert journal.states() == {}
    journal.record([JournalEntry(state())])
    assert journal.states().keys() == {A}
    assert len(damaged_files(path)) == 1
    journal.close()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(tmp_path / "nowhere" / "journal.db")


def test_a_row_that_does_not_decode_is_left_out_until_it_is_written_again(opened, path):
    journal = opened()
    journal.record([JournalEntry(state()), JournalEntry(state(ref=Ref("heygen", "b")))])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE job SET state='{\"phase\": 7}' WHERE id='a'")
    other.close()
    assert journal.states().keys() == {Ref("heygen", "b")}
    journal.record([JournalEntry(state())])
    assert A in journal.states()


def test_a_journal_that_another_program_has_locked_is_an_error_until_it_is_unlocked(opened, path):
    journal = opened()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="Another program has locked it"):
        journal.record([JournalEntry(state())])
    assert BUSY_TIMEOUT < 1
    assert journal.states() == {}
    other.close()


def test_ui_state_survives_the_process(opened):
    opened().save_ui_state({"sort": "link", "view": ["all", 1]})
    journal = opened()
    journal.save_ui_state({"sort": "age"})
    assert journal.load_ui_state("sort", "view", "never") == {"sort": b'"age"', "view": b'["all",1]'}
    assert journal.load_ui_state("view") == {"view": b'["all",1]'}


def test_many_may_open_a_new_file_at_the_same_moment(path):
    def one(number):
        journal = Journal(path)
        journal.record([JournalEntry(state(ref=Ref("heygen", str(number))))])
        found = journal.states()
        journal.close()
        return len(found)

    with ThreadPoolExecutor(12) as pool:
        assert max(pool.map(one, range(12))) <= 12
    journal = Journal(path)
    assert len(journal.states()) == 12
    journal.close()


@pytest.mark.skipif(sys.platform != "linux", reason="proc(5)")
def test_a_new_file_is_created_while_no_other_process_opens_it(path):
    """SQLite refuses one of two that create it at once."""
    folder = os.open(path.parent, os.O_RDONLY)
    inode = os.fstat(folder).st_ino
    with ThreadPoolExecutor(1) as pool:
        fcntl.flock(folder, fcntl.LOCK_SH)
        opening = pool.submit(Journal, path)
        waiting = re.compile(rf"-> FLOCK .*:{inode} ")
        try:
            wait_until(lambda: opening.done() or waiting.search(Path("/proc/locks").read_text()))
            was_created = path.exists()
        finally:
            os.close(folder)
        opening.result().close()
    assert not was_created


def test_ten_thousand_states_are_written_in_one_batch(opened):
    journal = opened()
    report = Report(phase=Phase.RUNNING, raw_status="running", title="Spring launch", language="Urdu (Pakistan)")
    link = Link(
        LinkKind.VIDEO,
        "https://cdn.test/a/b/c?Expires=1900000000&Signature=" + "x" * 200,
        NOW,
        NOW,
        expiry_is_exact=True,
    )
    entries = [
        JournalEntry(
            state(
                ref=Ref("heygen", f"{number:032x}"), report=report, links=(link,), next_poll_reason=PollReason.REGULAR
            )
        )
        for number in range(10_000)
    ]
    journal.record(entries)
    assert len(journal.states()) == 10_000

import subprocess

import pytest

from tests.support.fork_server import start_program
from tests.support.waiting import DEADLINE
from tui.storage.journal.journal import RETENTION, Journal

NOW = 1_800_000_000.0
KEYS = 40
SENDER = f"""
import sys
from pathlib import Path
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import Journal
notifications = Journal(Path(sys.argv[1])).notifications
print("ready", flush=True)
sys.stdin.readline()
for key in map(str, range({KEYS})):
    while True:
        try:
            if notifications.claim({{key: 3600.0}}, {NOW}):
                print(key)
            break
        except JournalError:
            pass
"""


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def test_a_key_is_claimed_once_and_again_after_its_time(journal):
    claim = journal.notifications.claim
    assert claim({"x": 60.0}, NOW) == {"x"}
    assert claim({"x": 60.0, "y": 60.0}, NOW + 59.0) == {"y"}
    assert claim({"x": 60.0}, NOW + 60.0) == {"x"}
    assert claim({"x": 60.0}, NOW + 119.0) == set()


def test_a_key_without_repetition_is_claimed_once_for_all_processes(journal, tmp_path):
    assert journal.notifications.claim({"x": float("inf")}, NOW)
    other = Journal(tmp_path / "journal.db")
    assert not other.notifications.claim({"x": float("inf")}, NOW + RETENTION - 1)
    other.close()


def test_a_clock_that_was_set_back_does_not_silence_a_key_for_long(journal):
    assert journal.notifications.claim({"x": 60.0}, NOW + 86400.0)
    assert journal.notifications.claim({"x": 60.0}, NOW)


def test_of_several_processes_exactly_one_claims_each_key(tmp_path):
    path = tmp_path / "journal.db"
    senders = [
        start_program("-c", SENDER, str(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for sender in senders:
        assert sender.stdout.readline() == "ready\n"
    for sender in senders:
        sender.stdin.write("\n")
        sender.stdin.flush()
    claimed = [key for sender in senders for key in sender.communicate(timeout=DEADLINE)[0].split()]
    assert sorted(claimed, key=int) == [str(key) for key in range(KEYS)]


def test_keys_older_than_the_retention_are_pruned(journal):
    journal.notifications.claim({"old": 60.0}, NOW - RETENTION - 1)
    journal.notifications.claim({"new": 60.0}, NOW - RETENTION + 1)
    assert journal.prune(NOW) == 1
    assert not journal.notifications.claim({"new": float("inf")}, NOW)


def test_held_notifications_older_than_the_retention_are_pruned(journal):
    for name, at in (("old", NOW - RETENTION - 1), ("new", NOW - RETENTION + 1)):
        journal.notifications.claim({name: float("inf")}, at, {name: name.encode()}, is_sent=True)
    assert journal.prune(NOW) == 2
    assert journal.notifications.held(0.0, NOW) == (b"new",)


def test_a_forgotten_key_may_be_claimed_again(journal):
    journal.notifications.claim({"a": 60.0, "b": 60.0}, NOW)
    journal.notifications.forget(["a"])
    assert journal.notifications.claim({"a": 60.0, "b": 60.0}, NOW + 2) == {"a"}

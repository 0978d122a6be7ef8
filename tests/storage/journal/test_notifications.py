import subprocess
import sys

import pytest

from tests.support.waiting import DEADLINE
from tui.storage.journal.journal import RETENTION, Journal

NOW = 1_800_000_000.0
KEYS = 40
TELLER = f"""
import sys
from pathlib import Path
from tui.storage.journal.journal import Journal, JournalError
told = Journal(Path(sys.argv[1])).notifications
print("ready", flush=True)
sys.stdin.readline()
for key in map(str, range({KEYS})):
    while True:
        try:
            if told.claim_one(key, {NOW}, 3600.0):
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


def test_a_thing_is_told_once_and_again_when_its_time_is_over(journal):
    assert journal.notifications.claim_one("x", NOW, 60.0)
    assert not journal.notifications.claim_one("x", NOW + 59.0, 60.0)
    assert journal.notifications.claim_one("y", NOW + 59.0, 60.0)
    assert journal.notifications.claim_one("x", NOW + 60.0, 60.0)
    assert not journal.notifications.claim_one("x", NOW + 119.0, 60.0)


def test_a_thing_told_for_good_is_never_told_again(journal, tmp_path):
    assert journal.notifications.claim_one("x", NOW, float("inf"))
    journal.close()
    again = Journal(tmp_path / "journal.db")
    assert not again.notifications.claim_one("x", NOW + RETENTION - 1, float("inf"))
    again.close()


def test_a_clock_that_was_set_back_does_not_silence_a_thing_for_long(journal):
    assert journal.notifications.claim_one("x", NOW + 86400.0, 60.0)
    assert journal.notifications.claim_one("x", NOW, 60.0)


def test_of_several_processes_exactly_one_tells(tmp_path):
    path = tmp_path / "journal.db"
    tellers = [
        subprocess.Popen(
            [sys.executable, "-c", TELLER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for teller in tellers:
        assert teller.stdout.readline() == "ready\n"
    for teller in tellers:
        teller.stdin.write("\n")
        teller.stdin.flush()
    told = [key for teller in tellers for key in teller.communicate(timeout=DEADLINE)[0].split()]
    assert sorted(told, key=int) == [str(key) for key in range(KEYS)]


def test_what_was_told_long_ago_is_forgotten(journal):
    journal.notifications.claim_one("old", NOW - RETENTION - 1, 60.0)
    journal.notifications.claim_one("new", NOW - RETENTION + 1, 60.0)
    assert journal.prune(NOW) == 1
    assert not journal.notifications.claim_one("new", NOW, float("inf"))


def test_of_many_the_first_ones_are_named_and_what_is_over_may_be_told_again(journal):
    journal.notifications.claim_one("b", NOW, 60.0)
    assert journal.notifications.claim({"a": 60.0, "b": 60.0, "c": 0.0}, NOW + 1) == {"a", "c"}
    journal.notifications.forget(["a"])
    assert journal.notifications.claim({"a": 60.0, "b": 60.0}, NOW + 2) == {"a"}

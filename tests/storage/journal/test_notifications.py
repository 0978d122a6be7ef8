import subprocess
import sys

import pytest

from tests.support.waiting import DEADLINE
from tui.storage.journal.journal import KEPT, Journal

NOW = 1_800_000_000.0
KEYS = 40
TELLER = f"""
import sys
from pathlib import Path
from tui.storage.journal.journal import Journal, JournalError
told = Journal(Path(sys.argv[1])).told
print("ready", flush=True)
sys.stdin.readline()
for key in map(str, range({KEYS})):
    while True:
        try:
            if told.first(key, {NOW}, 3600.0):
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
    assert journal.told.first("x", NOW, 60.0)
    assert not journal.told.first("x", NOW + 59.0, 60.0)
    assert journal.told.first("y", NOW + 59.0, 60.0)
    assert journal.told.first("x", NOW + 60.0, 60.0)
    assert not journal.told.first("x", NOW + 119.0, 60.0)


def test_a_thing_told_for_good_is_never_told_again(journal, tmp_path):
    assert journal.told.first("x", NOW, float("inf"))
    journal.close()
    again = Journal(tmp_path / "journal.db")
    assert not again.told.first("x", NOW + KEPT - 1, float("inf"))
    again.close()


def test_a_clock_that_was_set_back_does_not_silence_a_thing_for_long(journal):
    assert journal.told.first("x", NOW + 86400.0, 60.0)
    assert journal.told.first("x", NOW, 60.0)


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
    journal.told.first("old", NOW - KEPT - 1, 60.0)
    journal.told.first("new", NOW - KEPT + 1, 60.0)
    assert journal.prune(NOW) == 1
    assert not journal.told.first("new", NOW, float("inf"))


def test_of_many_the_first_ones_are_named_and_what_is_over_may_be_told_again(journal):
    journal.told.first("b", NOW, 60.0)
    assert journal.told.firsts({"a": 60.0, "b": 60.0, "c": 0.0}, NOW + 1) == {"a", "c"}
    journal.told.forget(["a"])
    assert journal.told.firsts({"a": 60.0, "b": 60.0}, NOW + 2) == {"a"}

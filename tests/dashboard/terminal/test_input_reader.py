"""Input reader in a real pseudo-terminal: it responds at once, and does not wake without input."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.long_running.terminal import fuzz
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("listening")]
OURS, WAKES = 20, 10
"""Wake-ups of this test, ten a second; all threads of an idle console wake less often."""


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    """Jobs on which nothing changes, the engine off."""
    with DashboardTerminal("quiet", program=("-m", "tests.benchmarks.consoles")) as terminal:
        assert terminal.wait_for(lambda text: "Job 00003" in text)
        yield terminal
        terminal.type("\x11")
        assert terminal.wait_for_exit() == 0, "it ends although its reader sleeps"


def wakes(pid: int) -> int:
    """How often the child's threads have gone to sleep so far."""
    shown = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(int(line.split()[1]) for text in shown for line in text.splitlines() if line.startswith("voluntary"))


@pytest.mark.skipif(sys.platform != "linux", reason="proc(5)")
def test_an_idle_screen_does_not_wake(terminal: Terminal):
    def rests(_: str) -> bool:
        before = wakes(terminal.pid)
        for _ in range(OURS):
            terminal.read_for(0.1)
        return wakes(terminal.pid) - before < WAKES

    assert terminal.wait_for(rests)


def test_a_lone_esc_is_a_key(terminal: Terminal):
    terminal.type("?")
    assert terminal.wait_for(lambda text: "─ Help ─" in text)
    terminal.type("\x1b")
    assert terminal.wait_for(lambda text: "─ Help ─" not in text)


def test_an_escape_sequence_split_over_two_reads_is_one_key(terminal: Terminal):
    terminal.type("\x1b")
    terminal.type("[F")
    assert terminal.wait_for(lambda text: "Job 09999" in text), terminal.text  # the End key
    terminal.type("g")
    assert terminal.wait_for(lambda text: "Job 00003" in text)


def test_a_character_split_over_two_reads_is_one_character(terminal: Terminal):
    terminal.type("/")
    for byte in "ж".encode():
        assert terminal.comes_to_rest()
        os.write(terminal.fd, bytes([byte]))
    assert terminal.wait_for(lambda text: "No jobs match “ж”" in text), terminal.text
    terminal.type("\x1b")
    assert terminal.wait_for(lambda text: "Job 00003" in text)


def test_bytes_that_are_no_text_and_broken_sequences_are_ignored(terminal: Terminal):
    terminal.send(b"\xfc\xff\xfe\xc3")
    terminal.send(b"G")
    assert terminal.wait_for(lambda text: "Job 09999" in text), terminal.text
    terminal.send(b"g")
    assert terminal.wait_for(lambda text: "Job 00003" in text)


def test_the_dashboard_survives_random_input():
    assert fuzz(500, seed=2) >= 1

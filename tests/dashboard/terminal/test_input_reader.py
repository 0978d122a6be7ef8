"""The reader of keys, in a real pseudo-terminal: it is there at once, and costs nothing while nobody types."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.consoles import command
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("listening")]
OURS, WAKES = 20, 10
"""While this test wakes so often, ten times a second, all threads of a console at rest wake less often than that."""


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    """Jobs on which nothing changes, the engine off."""
    with Terminal(command("quiet")) as terminal:
        assert terminal.wait_for(lambda text: "Job 00003" in text)
        yield terminal
        terminal.type("\x11")
        assert terminal.wait_for_exit() == 0, "it ends although its reader sleeps"


def wakes(pid: int) -> int:
    """How often the child's threads have gone to sleep so far."""
    said = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(int(line.split()[1]) for text in said for line in text.splitlines() if line.startswith("voluntary"))


@pytest.mark.skipif(sys.platform != "linux", reason="proc(5)")
def test_a_screen_at_rest_is_woken_by_nothing(terminal: Terminal):
    def rests(_: str) -> bool:
        before = wakes(terminal.pid)
        for _ in range(OURS):
            terminal.read_for(0.1)
        return wakes(terminal.pid) - before < WAKES

    assert terminal.wait_for(rests)


def test_esc_alone_is_a_key_though_nothing_follows_it(terminal: Terminal):
    terminal.type("?")
    assert terminal.wait_for(lambda text: "─ Keys ─" in text)
    terminal.type("\x1b")
    assert terminal.wait_for(lambda text: "─ Keys ─" not in text)


def test_an_esc_that_goes_on_in_another_read_is_one_sequence(terminal: Terminal):
    terminal.type("\x1b")
    terminal.type("[F")
    assert terminal.wait_for(lambda text: "Job 09999" in text), terminal.text  # the End key
    terminal.type("g")
    assert terminal.wait_for(lambda text: "Job 00003" in text)


def test_a_letter_that_a_slow_line_tears_is_one_letter(terminal: Terminal):
    terminal.type("/")
    for byte in "ж".encode():
        assert terminal.comes_to_rest()
        os.write(terminal.fd, bytes([byte]))
    assert terminal.wait_for(lambda text: "No jobs match “ж”" in text), terminal.text
    terminal.type("\x1b")
    assert terminal.wait_for(lambda text: "Job 00003" in text)

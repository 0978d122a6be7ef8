"""Program that a shell starts in the background: the board after `fg`, or one plain line."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.support.terminal import Terminal, stat_fields

pytestmark = pytest.mark.timeout(900)  # whole programs, each of whose waits may take long on a slow machine
DEMO = [sys.executable, "-m", "tui", "--demo"]
ORPHAN = """
import os, sys, time
reader, writer = os.pipe()
if os.fork() == 0:
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    os.setpgid(0, 0)
    while os.getppid() == parent:
        time.sleep(0.01)
    os.dup2(writer, 2)
    os.execv(sys.argv[1], sys.argv[1:])
os.close(writer)
os.wait()
sys.stdout.write(open(reader).read())
"""
"""Runs a program whose process group no shell can continue, and prints what it wrote to stderr."""


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BABELTOP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PS1", "$ ")


def test_a_program_started_in_the_background_waits_for_fg_and_shows_the_board():
    with Terminal(["sh", "-i"]) as terminal:
        terminal.type(f"{shlex.join(DEMO)} & echo pid $!.\n")
        assert terminal.wait_for(lambda text: re.search(r"pid \d+\.", text))
        pid = int(re.findall(r"pid (\d+)\.", terminal.text)[0])
        assert terminal.wait_for(lambda _: stat_fields(Path(f"/proc/{pid}/stat"))[0] == "T"), terminal.text
        assert "1049" not in terminal.modes()
        terminal.type("fg\n")
        assert terminal.wait_for(lambda text: "▸ running" in text and "^q quit" in text), terminal.text
        terminal.type("\x11")
        assert terminal.wait_for(lambda _: terminal.modes() == set())
        terminal.type("echo code $?.\n")
        assert terminal.wait_for(lambda text: "code 0." in text), terminal.text


def test_a_program_that_no_shell_can_continue_ends_with_one_line():
    with Terminal([sys.executable, "-c", ORPHAN, *DEMO], columns=160) as terminal:
        assert terminal.wait_for_exit() == 0
        assert terminal.text.strip() == (
            "babeltop: the dashboard requires the terminal's foreground: start it without `&`"
        )

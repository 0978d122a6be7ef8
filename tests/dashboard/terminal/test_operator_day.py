"""Search, marks, bulk commands and check boxes of the program in a real pseudo-terminal (CASES.md C5, C14 to C16)."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import fixtures
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.servers import serve_app
from tests.support.terminal import Terminal
from tui.domain.models import Job
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.watchlist.file import WatchlistFile

pytestmark = [pytest.mark.waits, pytest.mark.timeout(900)]  # each wait may take long on a slow machine
ENTER, ESCAPE, TAB, CLEAR_LINE = "\r", "\x1b", "\t", "\x15"
CLIPBOARD = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07")
JOBS = (
    Job(account="konpro", id="spring-fine", label="Spring launch", tags=("launch", "ur")),
    Job(account="konpro", id="summer-fine", label="Summer launch", tags=("launch",)),
    Job(account="konpro", id="autumn-fail", label="Autumn launch", tags=("launch",)),
    Job(account="flixu", id="manual-fine", label="Manual"),
)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The dashboard over JOBS, all of which have ended, on a desktop whose xdg-open appends to a file `opened`."""
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path / "opened"}\n')
    opener.chmod(0o755)
    simulator = Simulator(scenarios=[Scenario(job.id, queued=0.0, running=0.01) for job in JOBS])
    with serve_app(simulator) as base:
        config = '[polling]\nmax_interval = "2s"\n'
        fixtures.make_workspace(tmp_path, base, JOBS, accounts=("konpro", "flixu"), config=config).close()
        environment = {
            "PATH": f"{opener.parent}:/usr/bin:/bin",
            "DISPLAY": ":0",
            "BABELTOP_CONFIG_DIR": str(tmp_path),
            "BABELTOP_STATE_DIR": str(tmp_path / "state"),
            "KEY_KONPRO": fixtures.KEY,
            "KEY_FLIXU": fixtures.KEY,
        }
        with DashboardTerminal(environment=environment) as terminal:
            show(terminal, "", "Done 3   4 Problems 1")
            yield terminal


def show(terminal: Terminal, keys: str, expected: str) -> None:
    """Type the keys in one burst and wait for the text on the screen."""
    terminal.type(keys)
    assert terminal.wait_for(lambda text: expected in text), terminal.text


def test_the_filter_searches_every_visible_column_and_names_wrong_fields_and_values(terminal: Terminal):
    for query, count in (
        ("konpro", "3 of 4"),  # account
        ("fail", "1 of 4"),  # status
        ("speech", "1 of 4"),  # message
        ("spring-f", "1 of 4"),  # id
        ("manual|summer", "2 of 4"),
        ("launch -tag:ur", "2 of 4"),
    ):
        show(terminal, f"/{CLEAR_LINE}{query}{ENTER}", f"/ {query}  {count}")
    show(terminal, f"/{CLEAR_LINE}phase:faild", "no phase faild; did you mean failed?")
    terminal.type(f"{CLEAR_LINE}foo:bar")
    assert terminal.wait_for(lambda text: "no field foo; did you mean flag?" in text), terminal.text


def test_removing_names_the_marked_jobs_that_are_not_shown(terminal: Terminal, tmp_path: Path):
    watchlist = WatchlistFile(tmp_path / "watchlist.toml")
    show(terminal, f"/launch{ENTER}V", "3 marked")
    show(terminal, f"/{CLEAR_LINE}manual{ENTER}", "3 marked, 3 not shown")
    show(terminal, "d", "Remove 3 jobs, 3 not shown?")
    terminal.type(ESCAPE)
    assert terminal.wait_for(lambda text: "Remove 3 jobs" not in text)
    assert watchlist.read().jobs == JOBS
    show(terminal, "d", "Remove 3 jobs, 3 not shown?")
    show(terminal, ENTER, "u: undo")
    assert watchlist.read().jobs == JOBS[3:]
    terminal.type("u")
    assert terminal.wait_for(lambda _: watchlist.read().jobs == JOBS)


def test_copy_open_and_edit_act_on_all_marked_jobs(terminal: Terminal, tmp_path: Path):
    show(terminal, "V", "4 marked")
    show(terminal, "y", "4 ids sent to the terminal's clipboard")
    show(terminal, "Y", "3 links sent to the terminal's clipboard")
    ids, links = (base64.b64decode(each).decode().splitlines() for each in CLIPBOARD.findall(terminal.raw))
    assert sorted(ids) == sorted(job.id for job in JOBS)
    assert [link.partition(":")[0] for link in links] == ["http"] * 3
    show(terminal, "o", "3 links sent to the desktop")
    opened = tmp_path / "opened"
    assert terminal.wait_for(lambda _: opened.exists() and sorted(opened.read_text().split()) == sorted(links))
    show(terminal, "e", "not on all: launch ur (-tag: remove)")
    show(terminal, f"{TAB}-launch new{ENTER}", "4 jobs changed · u: undo")
    assert [job.tags for job in WatchlistFile(tmp_path / "watchlist.toml").read().jobs] == [
        ("ur", "new"),
        ("new",),
        ("new",),
        ("new",),
    ]


def test_space_toggles_a_check_box_and_enter_on_it_saves(terminal: Terminal, tmp_path: Path):
    box = "renew the link before it expires"
    show(terminal, "e", f"[ ] {box}")
    show(terminal, TAB * 3 + " ", f"[x] {box}")
    show(terminal, ENTER, "u: undo")
    assert sum(job.keep_link for job in WatchlistFile(tmp_path / "watchlist.toml").read().jobs) == 1

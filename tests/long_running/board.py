"""Whole screen with 100,000 jobs: after random keys, filters and updates it shows what a plain evaluation gives."""

import asyncio
import os
import time
from collections import Counter
from random import Random

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")  # read when textual is imported

from datetime import UTC

from msgspec.structs import replace

from tests.benchmarks.consoles import FixedEngine, mixed_states
from tests.support.reference_model import expected_rows, view_counts
from tests.support.screen_mirror import Mirror, drawn_on, expected_lines, shown_lines
from tui.dashboard.app import Babeltop
from tui.dashboard.screen import Dashboard
from tui.dashboard.widgets.welcome import OnboardingInfo
from tui.domain.models import Phase
from tui.engine.api import Update
from tui.presentation.filters.grammar import parse
from tui.presentation.filters.model import Filter
from tui.storage.config.settings import Settings

JOBS, STEPS = 100_000, 60
NOW = 1_795_270_000.0
FILTERS = (
    "-flag:stale",
    "e",
    "en",
    "en|ha",
    "-x",
    "time>1h",
    "total<2h -phase:done",
    "progress<50",
    "next<5m",
    "polls>1",
)
MORE_FILTERS = (
    "",
    "job 0",
    "job 00012",
    "tag:t7",
    "timed out",
    "-done t4",
    "lang:ur|lang:hi",
    "provider:heygen fail",
)
KEYS = ("1", "2", "3", "4", "5", "greater_than_sign", "less_than_sign", "S", "j", "k", "G", "g", "ctrl+d", "space")


def changed(state, random: Random, now: float):
    """Return the state with another phase, label and message."""
    phase = random.choice(list(Phase))
    report = replace(state.report, message=random.choice([None, "quota exceeded", "timed out"]))
    label = random.choice(["Job 000123 again", "urgent", "", state.job.label])
    return replace(
        state,
        phase=phase,
        phase_since=now - random.choice([1, 70, 4000]),
        report=report,
        job=replace(state.job, label=label),
    )


async def use_board(count: int, steps: int, seed: int) -> Counter[str]:
    """Use a board of so many jobs at random, and compare all it shows with a plain evaluation after each step."""
    random, now, done = Random(seed), [NOW], Counter[str]()
    initial = {state.job.ref: state for state in mixed_states(NOW, count)}
    app = Babeltop(
        FixedEngine(initial.values(), busy=False),
        Settings(),
        OnboardingInfo("", ()),
        initial_update=Update(states=initial, order=tuple(initial)),
        now=lambda: now[0],
        zone=UTC,
    )
    mirror = Mirror(app)
    app._display = drawn_on(mirror, app)  # what would go to the terminal
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        dashboard = app.get_default_screen()
        assert isinstance(dashboard, Dashboard)
        for _ in range(steps):
            action = random.choice(["filter", "key", "update", "time"])
            if action == "filter":
                await pilot.press("slash", "ctrl+u", *random.choice(FILTERS + MORE_FILTERS), "enter")
            elif action == "key":
                await pilot.press(random.choice(KEYS))
            elif action == "update":
                some = random.sample(list(dashboard.board.states.values()), min(count, 50))
                dashboard.apply_update(Update(states={each.job.ref: changed(each, random, now[0]) for each in some}))
            else:
                now[0] += random.choice([5, 700, 40_000])
                dashboard.tick()
            await pilot.pause()
            await pilot.pause()
            check(dashboard, mirror)
            done[action] += 1
    return done


def check(dashboard: Dashboard, mirror: Mirror) -> None:
    """Compare rows, counts and screen with a plain evaluation of all states."""
    board, states = dashboard.board, dashboard.board.states.values()
    wanted = parse(board.filter_text, board.vocabulary).filter if board.filter_text else Filter()
    query = {"view": board.view, "wanted": wanted, "sort": board.sort, "descending": board.descending}
    assert dashboard.table.refs == expected_rows(states, board.context, **query), query
    assert board.view_counts() == view_counts(states, board.context), query
    if dashboard.table.display:
        assert shown_lines(mirror, dashboard.table) == expected_lines(dashboard.table), query


def main() -> None:
    """Use a board of 100,000 jobs, and print how often and how long."""
    began = time.perf_counter()
    done = asyncio.run(use_board(JOBS, STEPS, seed=1))
    actions = ", ".join(f"{action} {count}" for action, count in done.items())
    print(f"{JOBS:,} jobs: {actions}; all rows, counts and lines as expected, in {time.perf_counter() - began:.0f} s")

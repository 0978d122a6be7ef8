"""Expiry calendar: its days, the filter that follows its cursor, and the commands for all jobs of a day."""

from datetime import timedelta, timezone

import pytest
from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import dashboard, text_of, toasts
from tests.support.fake_engine import FakeEngine
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.calendar import CALENDAR_INTERVAL
from tui.dashboard.dialogs.confirm import ConfirmScreen
from tui.dashboard.screen import Dashboard
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.domain.models import Link, LinkKind, Phase
from tui.engine.api import Update

DAY = 86400.0


async def open_calendar(app, engine, pilot):
    """Open the calendar on five jobs: three links expire tomorrow, two of them within one hour, and two are kept."""
    await pilot.pause()
    states = [state for state in app.screen.board.states.values() if not state.job.archived]
    ends = [NOW + DAY, NOW + DAY + 60, NOW + DAY + 3 * 3600, NOW + 3 * DAY, NOW + 20 * DAY]
    changed = {}
    for number, state in enumerate(states):
        links = ()
        if number < len(ends):
            links = (Link(LinkKind.VIDEO, f"https://cdn.test/{number}", NOW - DAY, ends[number], expiry_is_exact=True),)
        new = replace(state, phase=Phase.DONE, phase_since=NOW - 60, links=links, downloads=(), result=None)
        changed[state.job.ref] = replace(new, job=replace(state.job, keep_link=number in (2, 3)))
    engine.push(Update(states=changed))
    await pilot.pause()
    await pilot.press("E")
    await pilot.pause()
    return [state.job.ref for state in states[: len(ends)]]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_e_shows_the_days_and_the_jobs_of_the_first_with_a_link(app: Babeltop, engine: FakeEngine, size):
    async with app.run_test(size=size) as pilot:
        refs = await open_calendar(app, engine, pilot)
        shown = text_of(pilot)
        assert "4 links in 14 days" in shown
        tomorrow = next(line for line in shown.splitlines() if "Sun 22 Nov" in line)
        assert tomorrow.split()[3] == "2"  # not kept
        assert ("█" if size[0] < 150 else " 2 ") in tomorrow
        assert "Fri  4 Dec" in shown  # the fourteenth day
        screen = dashboard(pilot)
        assert screen.board.filter_text == "expiry:2026-11-22"
        assert set(screen.table.refs) == set(refs[:3])


async def test_the_filter_follows_the_cursor_and_esc_restores_what_was_shown(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3", "slash", *"hands", "enter")
        refs = await open_calendar(app, engine, pilot)
        screen = dashboard(pilot)
        await pilot.press("j", "j")
        await pilot.pause()
        assert screen.board.filter_text == "expiry:2026-11-24"
        assert screen.table.refs == [refs[3]]
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        assert (screen.board.view, screen.board.filter_text) == ("done", "hands")


async def test_a_change_of_the_time_zone_applies_the_day_of_a_filter_again(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        refs = await open_calendar(app, engine, pilot)
        await pilot.press("enter")
        screen = dashboard(pilot)
        screen._local_zone = timezone(timedelta(hours=14))
        assert set(screen.table.refs) == set(refs[:3])
        await pilot.press("t")
        assert screen.table.refs == []  # a day later there
        await pilot.press("t")
        assert set(screen.table.refs) == set(refs[:3])  # UTC


async def test_enter_keeps_the_filter_of_the_day(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        await open_calendar(app, engine, pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        assert app.screen.board.filter_text == "expiry:2026-11-22"


@pytest.mark.parametrize(("key", "done"), [("L", "renewed"), ("D", "downloaded")])
async def test_all_of_a_day_is_renewed_or_downloaded_after_the_cost_was_shown(
    app: Babeltop, engine: FakeEngine, key, done
):
    async with app.run_test(size=(80, 24)) as pilot:
        refs = await open_calendar(app, engine, pilot)
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        question = " ".join(text_of(pilot).split())
        assert ("3 jobs? 3 requests:" if key == "L" else "3 files of 3 jobs? One request each.") in question
        assert getattr(engine, done) == []
        await pilot.press("enter")
        await pilot.pause()
        assert set(getattr(engine, done)) == set(refs[:3])


async def test_a_day_without_links_has_nothing_to_renew(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        await open_calendar(app, engine, pilot)
        await pilot.press("G", "L")
        await pilot.pause()
        assert engine.renewed == []
        assert any("no job of this day" in toast for toast in toasts(pilot))


async def test_a_day_that_comes_within_the_warning_time_changes_its_colour(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        board = dashboard(pilot).board
        board._context = replace(board._context, warn_before=9 * 3600)  # tomorrow begins in ten hours
        await open_calendar(app, engine, pilot)

        def styles() -> set[str]:
            """Return the colours of tomorrow's line."""
            line = app.screen.query_one(VimOptionList).get_option_at_index(1).prompt
            return {str(span.style) for span in line.spans}

        assert "$job-warning" not in styles()
        board.now = lambda: NOW + 2 * 3600
        await pilot.pause(CALENDAR_INTERVAL + 1)
        assert "$job-warning" in styles()


async def test_the_table_shows_the_day_under_the_cursor_also_after_midnight(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await open_calendar(app, engine, pilot)
        screen = dashboard(pilot)
        assert screen.board.filter_text == "expiry:2026-11-22"
        screen.board.now = lambda: NOW + 10 * 3600
        await pilot.pause(CALENDAR_INTERVAL + 1)
        options = app.screen.query_one(VimOptionList)
        assert options.get_option_at_index(options.highlighted).prompt.plain.startswith("Mon 23 Nov")
        assert screen.board.filter_text == "expiry:2026-11-23"

"""Charts of the detail's first tab: where there is room for them, and from what they are drawn."""

import math
from concurrent.futures import Future

import pytest
from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.support.fake_engine import FakeEngine, update_of
from tui.dashboard.app import Babeltop
from tui.domain.models import Link, LinkKind, Phase
from tui.domain.polling.duration_model import LogNormalFit
from tui.engine.api import JobHistory
from tui.presentation.columns import ASCII

DAY = 86400.0
CHARTS = ("similar", "this job, 4m00s", "requests  ")


async def show_running_job(app, engine, pilot, seconds=1.0):
    """Show a job that has run for four minutes of about eight, of an account with eight ended jobs, with a link."""
    await pilot.pause()
    state = next(state for state in app.screen.board.states.values() if state.job.account == "konpro")
    link = Link(LinkKind.VIDEO, "https://cdn.test/v", NOW - DAY, NOW + DAY, expiry_is_exact=True)
    fit = LogNormalFit(math.log(480), 0.2, 8)
    running = replace(
        state, phase=Phase.RUNNING, first_polled_at=NOW - 240, phase_since=NOW - 240, duration_fit=fit, links=(link,)
    )
    engine.push(update_of(running))
    app.screen.table.move_to_job(state.job.ref)
    for _ in range(20):  # the detail follows the cursor when that has been painted
        await pilot.pause()
    await pilot.pause(seconds)
    return "\n".join(line.plain for line in app.screen.detail._text_page._lines)


@pytest.mark.parametrize("size", [(200, 60), (160, 45), (80, 60)])
async def test_a_large_detail_has_charts(app: Babeltop, engine: FakeEngine, size):
    async with app.run_test(size=size) as pilot:
        if size[0] == 80:
            await pilot.press("enter")
        shown = await show_running_job(app, engine, pilot)
        for text in CHARTS:
            assert text in shown
        assert "ended jobs; most end after 7–9 min" in shown
        assert "█████····· expires in 1d00h" in shown  # half of the link's life
        lines = shown.splitlines()
        shade = next(line for line in lines if line.endswith("░"))
        marker = next(line for line in lines if "▲" in line)
        assert marker.index("▲") < shade.index("░")  # four minutes, below the range of seven to nine


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_small_detail_has_the_text_alone(app: Babeltop, engine: FakeEngine, size):
    async with app.run_test(size=size) as pilot:
        await pilot.press("enter")
        shown = await show_running_job(app, engine, pilot)
        assert "running for 4m00s; similar jobs take 7–9 min" in shown
        assert "video       expires in 1d00h" in shown
        assert "▲" not in shown


async def test_charts_are_drawn_in_ascii(app: Babeltop, engine: FakeEngine):
    app._dashboard.board._glyphs = ASCII
    async with app.run_test(size=(160, 45)) as pilot:
        shown = await show_running_job(app, engine, pilot)
        chart = shown[shown.index("similar   ") :]
        assert "^ this job, 4m00s" in chart
        assert "---" in chart
        assert chart.isascii()


async def test_the_history_is_read_again_if_the_engine_was_not_running(app: Babeltop, engine: FakeEngine):
    real, refused = engine.job_history, []

    def job_history(ref):
        if refused:
            return real(ref)
        refused.append(ref)
        done: Future[JobHistory] = Future()
        done.set_result(JobHistory(ref=ref, is_read=False))
        return done

    engine.job_history = job_history
    async with app.run_test(size=(200, 60)) as pilot:
        shown = await show_running_job(app, engine, pilot, seconds=7.0)
        assert refused
        assert "this job, 4m00s" in shown


async def test_a_cursor_that_passes_by_reads_no_journal(app: Babeltop, engine: FakeEngine):
    real, read = engine.job_history, []
    engine.job_history = lambda ref: read.append(ref) or real(ref)
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause(1)
        read.clear()
        await pilot.press(*"jjjjjjjj")
        await pilot.pause(1)
        assert read == [app.screen.table.cursor]

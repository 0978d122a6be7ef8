"""Times on the screen advance. The clock is the test's, the timers are real."""

from datetime import UTC

from tests.benchmarks.consoles import FixedEngine
from tests.dashboard.conftest import NOW
from tui.dashboard.app import Babeltop
from tui.dashboard.screen import MIN_TICK
from tui.dashboard.widgets.welcome import OnboardingInfo
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase
from tui.engine.api import Update
from tui.storage.config.settings import Settings

OLD, YOUNG = NOW - 3 * 86400 - 1800, NOW - 100
"""Instants: the first job's age is in days and its span in hours, the second's in minutes and seconds."""


class Clock:
    """Says the instant that it was set to."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at


def console(clock: Clock, *since: float, phase: Phase = Phase.DONE) -> Babeltop:
    jobs = [Job(account="heygen", id=f"j{place}", label=f"Job {place}") for place in range(len(since))]
    states = [JobState(job=job, phase=phase, phase_since=at) for job, at in zip(jobs, since, strict=True)]
    first = {state.job.ref: state for state in states}
    update = Update(states=first, order=tuple(first))
    return Babeltop(
        FixedEngine(states, busy=False), Settings(), OnboardingInfo("", ()), initial_update=update, now=clock, zone=UTC
    )


def shown(app: Babeltop) -> str:
    """The screen's text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def test_times_advance_from_the_first_frame_on():
    clock = Clock()
    app = console(clock, NOW - 5, OLD)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert " 5s" in shown(app)
        clock.at += 2
        await pilot.pause(MIN_TICK + 0.5)
        assert " 7s" in shown(app)


async def test_times_advance_in_rows_scrolled_into_view():
    clock = Clock()
    app = console(clock, *[OLD] * 60, NOW - 5)
    async with app.run_test(size=(120, 24)) as pilot:
        await pilot.pause(MIN_TICK + 0.5)
        await pilot.press("p", "G")
        await pilot.pause()
        assert " 5s" in shown(app)
        clock.at += 2
        await pilot.pause(MIN_TICK + 0.5)
        assert " 7s" in shown(app)


async def test_times_advance_in_the_detail():
    clock = Clock()
    app = console(clock, OLD, YOUNG, phase=Phase.RUNNING)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(MIN_TICK + 0.5)
        await pilot.press("j")
        await pilot.pause()
        assert "running for 1m40s" in shown(app)
        clock.at += 2
        await pilot.pause(MIN_TICK + 0.5)
        assert "running for 1m42s" in shown(app)

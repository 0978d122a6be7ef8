"""Second page of the add dialog: the jobs on the services' lists."""

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of
from tests.support.fake_engine import FakeEngine
from tui.dashboard.app import Babeltop
from tui.dashboard.screen import Dashboard
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Report
from tui.engine.api import CommandResult
from tui.storage.workspace import Workspace


def listed(job_id: str, title: str, phase: Phase = Phase.RUNNING) -> JobState:
    report = Report(phase=phase, raw_status=str(phase), title=title)
    return JobState(job=Job(account="heygen", id=job_id, added=NOW - 3600), phase=phase, report=report)


FOUND = (listed("n1", "Spring tour"), listed("n2", "Autumn tour", Phase.DONE), listed("n3", "Kick-off"))


async def opened(pilot) -> str:
    await pilot.pause()
    await pilot.press("a")
    await pilot.pause()
    await pilot.press("ctrl+l")
    await pilot.pause()
    return text_of(pilot)


def added(workspace: Workspace) -> list[tuple[str, tuple[str, ...]]]:
    return [(job.id, job.tags) for job in workspace.watchlist.read().jobs if job.id.startswith("n")]


async def test_marked_jobs_of_the_lists_are_added(app: Babeltop, engine: FakeEngine, workspace: Workspace):
    engine.discovery = CommandResult(message="konpro: no list", found=FOUND)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await opened(pilot)
        assert "Add jobs from the services' lists" in text
        assert "3 of 3" in text
        assert "konpro: no list" in text
        assert [name for name in ("Spring tour", "Autumn tour", "Kick-off") if name not in text] == []
        assert "13:06" in text
        await pilot.press("space", "j", "space")
        await pilot.pause()
        assert "Enter: add 2" in text_of(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
    assert added(workspace) == [("n1", ("discovered",)), ("n3", ("discovered",))]


async def test_the_filter_of_the_table_narrows_the_list(app: Babeltop, engine: FakeEngine, workspace: Workspace):
    engine.discovery = CommandResult(found=FOUND)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"tour -phase:done", "enter")
        await pilot.pause()
        text = text_of(pilot)
        assert ("1 of 3" in text, "Autumn tour" in text) == (True, False)
        await pilot.press("V", "enter")
        await pilot.pause()
    assert added(workspace) == [("n1", ("discovered",))]


async def test_without_new_jobs_the_page_closes_with_escape(app: Babeltop, engine: FakeEngine):
    engine.discovery = CommandResult(ok=False, message="heygen: offline")
    async with app.run_test(size=(80, 24)) as pilot:
        assert "heygen: offline" in await opened(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)

"""Dialog of a job's parts: each part with its status, links and commands of its own."""

import pytest
from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of, toasts
from tests.support.fake_engine import FakeEngine
from tui.dashboard.app import Babeltop
from tui.dashboard.job_parts.dialog import PartsScreen
from tui.dashboard.screen import Dashboard
from tui.domain.models import JobPart, Link, LinkKind, PartCounts, Phase, Report
from tui.engine.api import CommandResult, Update
from tui.storage.workspace import Workspace

PARTS = (
    JobPart(phase=Phase.DONE, raw_status="done", language="German"),
    JobPart(phase=Phase.DONE, raw_status="done", language="fr"),
    JobPart(phase=Phase.RUNNING, raw_status="processing", language="it", progress=0.45),
    JobPart(phase=Phase.FAILED, raw_status="failed", language="es", message="no speech found"),
)
LINKS = (
    Link(LinkKind.VIDEO, "https://cdn.test/de.mp4", NOW, NOW + 5 * 86400 + 90, True, language="German"),
    Link(LinkKind.CAPTIONS, "https://cdn.test/de.srt", NOW, None, False, language="German"),
    Link(LinkKind.VIDEO, "https://cdn.test/fr.mp4", NOW - 9999, NOW - 60, True, language="fr"),
)


@pytest.fixture
def shown(app: Babeltop, engine: FakeEngine, workspace: Workspace) -> Babeltop:
    """Return the app, whose first job has four parts."""
    ref, state = next(iter(workspace.job_states().items()))
    report = Report(
        phase=Phase.RUNNING, raw_status="running", title="Tour", parts=PARTS, part_counts=PartCounts(2, 1, 4)
    )
    state = replace(state, phase=Phase.RUNNING, report=report, links=LINKS)
    engine.pending_updates.append(Update(states={ref: state}))
    return app


async def opened(pilot, key="l") -> str:
    await pilot.pause()
    await pilot.press(key)
    await pilot.pause()
    return text_of(pilot)


async def test_each_part_is_a_line_with_its_status_link_and_message(shown: Babeltop):
    async with shown.run_test(size=(80, 24)) as pilot:
        text = await opened(pilot)
        assert "Parts of Tour" in text
        assert "2 of 4 done" in text
        lines = [line.split("│")[1].split() for line in text.splitlines() if line.count("│") > 1]
        assert lines[:2] == [["✓", "done", "de", "German", "5d00h"], ["✓", "done", "fr", "expired"]]
        assert lines[2] == ["▸", "running", "it", "·", "45%"]
        assert "no speech found" in text
        assert "expires in 5d00h, 26 Nov 14:08" in text
        assert "captions    no expiry known" in text
        await pilot.press("escape")
        assert isinstance(shown.screen, Dashboard)


async def test_the_tables_keys_act_on_the_part_under_the_cursor(shown: Babeltop, engine: FakeEngine):
    async with shown.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("Y")
        await pilot.pause()
        assert shown.clipboard == "https://cdn.test/de.mp4"
        await pilot.press("j", "Y")
        await pilot.pause()
        assert "Link expired: renewing it" in toasts(pilot)
        assert (len(engine.renewed), engine.languages) == (1, ["fr"])
        await pilot.press("D", "L")
        await pilot.pause()
        assert len(engine.downloaded) == 1
        assert engine.languages == ["fr", "fr", "fr"]
        await pilot.press("j", "D")
        await pilot.pause()
        assert toasts(pilot)[-1] == "This part has no link"


async def test_a_failed_renewal_copies_the_old_link_of_a_part_while_it_has_life(
    shown: Babeltop, engine: FakeEngine, workspace: Workspace
):
    ref, old = next(iter(workspace.job_states())), replace(LINKS[0], expires_at=NOW + 1800)
    state = replace(engine.pending_updates[-1].states[ref], links=(old,))
    engine.pending_updates[-1] = Update(states={ref: state})
    engine.renewal_result = CommandResult(ok=False, message="Renewal failed: offline", links={ref: old})
    async with shown.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("Y")
        await pilot.pause()
        assert shown.clipboard == old.url
        assert "Renewal failed: offline" in toasts(pilot)


async def test_enter_opens_the_detail_and_then_the_parts(shown: Babeltop):
    async with shown.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "enter")
        assert isinstance(shown.screen, Dashboard)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(shown.screen, PartsScreen)

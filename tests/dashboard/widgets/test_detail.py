"""Detail of a job: its facts at every size, and the learned duration."""

import math

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of
from tests.support.fake_engine import FakeEngine, update_of
from tui.dashboard.app import Babeltop
from tui.dashboard.widgets.detail_pages import LABEL_WIDTH, wrap_hanging
from tui.domain.models import PartChange, Phase
from tui.domain.polling.duration_model import LogNormalFit

NOTE = "legal wants Urdu first, then the others, and none may be published before Thursday evening"
FACTS = {"language": "Urdu (Pakistan)", "tags": "launch spring", "note": NOTE, "options": "keep link, muted"}


def report(engine: FakeEngine, app: Babeltop, **more) -> None:
    """The first job is one with much to say."""
    state = engine.workspace.job_states()[app.screen.table.refs[0]]
    job = replace(state.job, tags=("launch", "spring"), note=NOTE, keep_link=True, muted=True)
    report = replace(state.report, language="Urdu (Pakistan)")
    engine.push(update_of(replace(state, job=job, report=report, **more)))


def learned(minutes: float, **more) -> dict:
    """A job that runs, where ten like it took about so long."""
    fit = LogNormalFit(math.log(60 * minutes), 0.2, 10)
    return {"phase": Phase.RUNNING, "first_polled_at": NOW - 240, "phase_since": NOW - 240, "duration_fit": fit, **more}


@pytest.mark.parametrize("size", [(200, 60), (160, 50)])
async def test_facts_have_a_line_each_with_aligned_values(app: Babeltop, engine: FakeEngine, size):
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        report(engine, app)
        await pilot.pause()
        lines = text_of(pilot).splitlines()
        columns = set[int]()
        for label, value in FACTS.items():
            text = f"{label:<{LABEL_WIDTH}}{value[:20]}"
            (line,) = (line for line in lines if text in line)
            columns.add(cell_len(line[: line.index(text)]))
        (at,) = (place for place, line in enumerate(lines) if f"{'note':<{LABEL_WIDTH}}legal" in line)
        more = lines[at + 1].rstrip()
        left = max(106, size[0] * 57 // 100) + 1
        assert columns == {left}
        if size[0] == 160:
            assert cell_len(more[: more.index("and none")]) == left + LABEL_WIDTH


async def test_the_tabs_are_shown_whole(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("enter")
        for size in ((80, 24), (120, 40), (160, 50), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            (tabs,) = (line for line in text_of(pilot).splitlines() if "Overview" in line)
            assert tabs.rstrip().endswith("Overview   Timeline   Response   Requests   Result"), size


async def test_facts_share_lines_in_a_low_detail_and_keep_their_labels(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        report(engine, app)
        for size in ((120, 40), (128, 30)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            shown = text_of(pilot)
            for label, value in FACTS.items():
                assert f"{label} {value}" in shown, size


async def test_facts_are_laid_out_again_after_a_resize(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        report(engine, app)
        await pilot.pause()
        assert "tags launch" in text_of(pilot)
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        await pilot.pause()
        assert f"{'tags':<{LABEL_WIDTH}}launch spring" in text_of(pilot)


async def test_the_learned_duration_is_a_sentence(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        report(engine, app, **learned(10))
        await pilot.pause()
        assert "similar jobs take 8–12 min, about 4–8 min left" in text_of(pilot)
        report(engine, app, **learned(10, phase=Phase.DONE))
        await pilot.pause()
        await pilot.pause()
        assert "similar jobs" not in text_of(pilot)


async def test_the_timeline_marks_the_typical_end_while_it_is_ahead(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        report(engine, app, **learned(10))
        await pilot.press("right_square_bracket")
        await pilot.pause()
        marked = [line for line in text_of(pilot).splitlines() if "typical end" in line]
        assert len(marked) == 1
        assert "running" in marked[0][100:]
        assert marked[0].count("░") > 4
        report(engine, app, **learned(10, first_polled_at=NOW - 700))
        await pilot.pause()
        await pilot.pause()
        assert "typical end" not in text_of(pilot)


def test_wrapped_lines_are_indented():
    assert wrap_hanging("one two three", 7, 4) == "one two\n    three"
    assert wrap_hanging("", 7, 4) == ""
    assert wrap_hanging("unbreakable", 4, 2) == "unbreakable"


async def test_the_timeline_has_the_changes_of_parts_those_at_once_in_one_line(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        changes = [
            ("de", Phase.RUNNING, 300),
            ("fr", Phase.RUNNING, 300),
            ("de", Phase.DONE, 120),
            ("fr", Phase.FAILED, 60),
        ]
        report(engine, app, part_changes=tuple(PartChange(part, phase, NOW - ago) for part, phase, ago in changes))
        await pilot.press("right_square_bracket")
        await pilot.pause()
        lines = [" ".join(line[line.rfind("14:0") :].split()) for line in text_of(pilot).splitlines()]
        assert [line for line in lines if line.endswith((" de", " fr"))] == [
            "14:01 running de, fr",
            "14:04 done de",
            "14:05 failed fr",
        ]

"""Filter line: errors, completion, history and highlighted matches."""

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from tests.dashboard.test_dashboard import dashboard, text_of
from tests.support.fake_engine import FakeEngine
from tui.dashboard.app import Babeltop
from tui.dashboard.startup import PREFERENCES
from tui.dashboard.widgets.filter_input import MAX_HISTORY, FilterInput
from tui.domain.models import Phase
from tui.engine.api import SaveUiState, Update

SIZES = [(80, 24), (120, 40), (200, 60)]


def footer(pilot) -> str:
    return text_of(pilot).splitlines()[-1].strip()


async def test_an_error_is_shown_at_once_and_the_table_stays(app: Babeltop):
    async with app.run_test(size=SIZES[0]) as pilot:
        dash = dashboard(pilot)
        await pilot.press("slash", *"phase:f")
        await pilot.pause()
        failed = list(dash.table.refs)
        assert failed
        await pilot.press(*"aild")
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert footer(pilot) == "no phase faild; did you mean failed?", size
            assert dash.table.refs == failed
        await pilot.press("enter")
        await pilot.pause()
        assert dash.is_input_open("filter")
        await pilot.press("backspace", *"ed", "enter")
        await pilot.pause()
        assert not dash.is_input_open("filter")
        assert dash.table.refs == failed
        assert "? help" in footer(pilot)


async def test_a_wrong_field_is_named(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        everything = len(dashboard(pilot).table.refs)
        await pilot.press("slash", *"foo:bar")
        await pilot.pause()
        assert footer(pilot) == "no field foo; did you mean flag?"
        assert len(dashboard(pilot).table.refs) == everything


async def test_a_tag_that_no_job_has_is_named_below_the_empty_table(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"tag:nope")
        await pilot.pause()
        assert footer(pilot) == "no job has tag nope"
        assert "No jobs match “tag:nope”" in text_of(pilot)


async def test_tab_completes_fields_and_values(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        dash = dashboard(pilot)
        await pilot.press("slash", *"pha")
        await pilot.pause()
        line = dash.query_one("#filter", Input)
        assert footer(pilot) == "Tab phase:"
        assert "phase:" in text_of(pilot).splitlines()[-2]  # the rest stands behind the cursor
        await pilot.press("tab")
        await pilot.pause()
        assert line.value == "phase:"
        assert footer(pilot).startswith("Tab new  queued  running  done")
        await pilot.press("b", "tab")
        await pilot.pause()
        assert line.value == "phase:blocked"
        assert app.focused is line
        assert {dash.board.states[ref].phase for ref in dash.table.refs} == {Phase.BLOCKED}
        await pilot.press(*" account:he", "tab", "tab")
        assert line.value == "phase:blocked account:heygen"


async def test_the_arrows_recall_filters_which_the_next_start_knows(
    app: Babeltop, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
):
    stored = []
    send = engine.send

    def record(command):
        if isinstance(command, SaveUiState):
            stored.append(command.values[PREFERENCES])
        return send(command)

    monkeypatch.setattr(engine, "send", record)
    app._saves_preferences = True
    async with app.run_test(size=(80, 24)) as pilot:
        dash = dashboard(pilot)
        for text in ("one", "two", "one"):
            dash.clear_input("filter")
            await pilot.press("slash", *text, "enter")
        dash.clear_input("filter")
        await pilot.press("slash", *"dra")
        line = dash.query_one("#filter", Input)
        shown = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            shown.append(line.value)
        assert shown == ["one", "two", "two", "one", "dra", "dra"]
        await pilot.press("escape")
    assert stored[-1].filters == ("one", "two")


def test_the_history_is_bounded():
    line = FilterInput(lambda _: (), [f"f{number}" for number in range(MAX_HISTORY)], lambda _: None)
    with line.prevent(Input.Changed):
        line.set_reactive(Input.value, "x" * 9000)
    kept = line.remember()
    assert len(kept) == MAX_HISTORY
    assert (len(kept[0]), kept[1], kept[-1]) == (500, "f0", "f48")


def _styles_of(pilot, text: str) -> list[bool]:
    """Whether each place of the text in the table is underlined and bold."""
    table = dashboard(pilot).table
    segments = [
        segment for strip in table.render_lines(table.region.reset_offset) for segment in strip if segment.style
    ]
    return [each.style.underline and each.style.bold for each in segments if text in each.text.lower()]


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, {"COLORTERM": "", "TERM": "linux"}])
async def test_matches_are_underlined_with_any_number_of_colours(
    app: Babeltop, engine: FakeEngine, env, monkeypatch: pytest.MonkeyPatch
):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    async with app.run_test(size=(120, 40)) as pilot:
        ref = dashboard(pilot).table.refs[3]
        state = dashboard(pilot).board.states[ref]
        engine.push(
            Update(states={ref: replace(state, job=replace(state.job, label="製品 launch 👩\u200d👧 en", muted=False))})
        )
        await pilot.pause()
        assert not any(_styles_of(pilot, "launch"))
        await pilot.press("slash", *"laun")
        await pilot.pause()
        assert "製品 launch" in text_of(pilot)
        assert any(_styles_of(pilot, "laun"))
        assert not any(_styles_of(pilot, "konpro"))
        await pilot.press("escape")
        await pilot.pause()
        assert not any(_styles_of(pilot, "laun"))


async def test_a_filter_of_a_field_highlights_its_column_alone(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("slash", *"phase:failed")
        await pilot.pause()
        assert any(_styles_of(pilot, "failed"))
        await pilot.press("escape", "slash", *"account:heygen")
        await pilot.pause()
        assert all(_styles_of(pilot, "heygen"))
        assert not any(_styles_of(pilot, "failed"))


async def test_the_search_is_prepared_while_the_line_is_open(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await pilot.pause()
        rows = dashboard(pilot).board._row_index._rows.values()
        assert all(row.search_text for row in rows)
        state = dashboard(pilot).board.states[dashboard(pilot).table.refs[0]]
        engine.push(Update(states={state.job.ref: replace(state, job=replace(state.job, label="zanzibar label"))}))
        await pilot.press(*"zanzibar")
        await pilot.pause()
        assert dashboard(pilot).table.refs == [state.job.ref]

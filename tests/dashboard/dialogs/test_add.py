"""Add dialog: a paste is accepted by one Enter, and each ambiguous line gets its account by a digit."""

import pytest
from textual import events

from tests.dashboard.test_dashboard import FRENCH, text_of
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.add import AddScreen
from tui.dashboard.screen import Dashboard
from tui.domain.models import Ref
from tui.storage.workspace import Workspace

GERMAN = FRENCH.replace("-fr", "-de")


async def paste(app, pilot, text):
    """Open the dialog, and paste as a terminal with bracketed paste does."""
    await pilot.pause()
    await pilot.press("a")
    await pilot.pause()
    app.post_message(events.Paste(text))
    await pilot.pause()


def added(workspace, before):
    return [job.ref for job in workspace.watchlist.read().jobs[before:]]


@pytest.mark.parametrize("end", ["", "\n"])
async def test_a_paste_with_or_without_a_final_line_end_is_accepted_by_one_enter(app, workspace: Workspace, end):
    before = len(workspace.watchlist.read().jobs)
    async with app.run_test(size=(80, 24)) as pilot:
        await paste(app, pilot, f"{FRENCH}\n{GERMAN}{end}")
        assert "Enter: add 2" in text_of(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
    assert added(workspace, before) == [Ref("heygen", FRENCH), Ref("heygen", GERMAN)]


async def test_after_typing_enter_begins_a_line(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        await paste(app, pilot, FRENCH[:-1])
        await pilot.press(FRENCH[-1])
        await pilot.pause()
        assert "Enter on an empty line: add 1" in text_of(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, AddScreen)


async def test_each_ambiguous_line_gets_its_account_by_a_digit(app: Babeltop, workspace: Workspace):
    before, accounts = len(workspace.watchlist.read().jobs), list(workspace.accounts)
    async with app.run_test(size=(80, 24)) as pilot:
        await paste(app, pilot, f"interview-4\n\n{FRENCH}\ninterview-5\ninterview-6")
        assert "Enter: select accounts" in text_of(pilot)
        await pilot.press("enter", "2")
        await pilot.pause()
        shown = text_of(pilot)
        assert "1 heygen 2 konpro" in shown
        assert "leave out 2" in shown
        await pilot.press("1", "enter")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
    assert added(workspace, before) == [
        Ref(accounts[1], "interview-4"),
        Ref("heygen", FRENCH),
        Ref(accounts[0], "interview-5"),
    ]


async def test_a_detected_account_can_be_replaced(app: Babeltop, workspace: Workspace):
    async with app.run_test(size=(80, 24)) as pilot:
        await paste(app, pilot, f"{FRENCH}\ninterview-4")
        await pilot.press("enter", "1", "k", "2", "enter")
        await pilot.pause()
    assert added(workspace, -2) == [Ref("konpro", FRENCH), Ref("heygen", "interview-4")]


async def test_the_empty_text_area_shows_what_it_takes(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("a")
        await pilot.pause()
        shown = text_of(pilot)
        assert "https://service.example/jobs/1234" in shown
        assert "account:id" in shown
        assert "Nothing to add yet" in shown


async def test_the_secrets_of_jobs_are_typed_one_by_one_without_echo(app, workspace: Workspace):
    async with app.run_test(size=(80, 24)) as pilot:
        await paste(app, pilot, "papers:A1\npapers:B2")
        await pilot.press("enter")
        await pilot.pause()
        assert "document_key of papers:A1" in text_of(pilot)
        await pilot.press(*"s3cret", "enter")
        await pilot.pause()
        shown = text_of(pilot)
        assert "document_key of papers:B2" in shown
        assert "Enter: add without it" in shown
        assert "s3cret" not in shown
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
    tables = {table["id"]: table for table in workspace.watchlist.tables()}
    assert (tables["A1"]["secrets"], tables["B2"].get("secrets")) == ({"document_key": "s3cret"}, None)


async def test_escape_at_a_secret_adds_nothing(app, workspace: Workspace):
    before = len(workspace.watchlist.read().jobs)
    async with app.run_test(size=(80, 24)) as pilot:
        await paste(app, pilot, "papers:A1")
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
    assert added(workspace, before) == []

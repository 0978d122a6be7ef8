"""Links: renewed before they are copied or opened; no expired link is copied."""

import pytest
from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of
from tests.support.fake_engine import FakeEngine, update_of
from tui.dashboard.app import Babeltop
from tui.domain.models import Link, LinkKind, Phase
from tui.engine.api import CommandResult, Update
from tui.presentation import queries
from tui.presentation.queries import View

HOUR, DAY = 3600.0, 86400.0


def link(left, url="https://cdn.test/old", kind=LinkKind.VIDEO, exact=False):
    return Link(kind, url, NOW - DAY, None if left is None else NOW + left, exact)


async def pressed(app, engine, links, *keys, renewal=None, size=(120, 40), role=""):
    """The keys, on a job that is done and has these links; what was shown, what was copied, what is on the screen."""
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        state = next(state for state in app.screen.board.states.values() if state.phase is Phase.DONE and state.links)
        if renewal is not None:
            links_by_ref = {state.job.ref: renewal.links[""]} if renewal.links else {}
            engine.renewal_result = replace(renewal, links=links_by_ref)
        engine.push(update_of(replace(state, links=links)))
        await pilot.pause()
        if role:
            engine.push(Update(states={}, role=role))
            await pilot.pause()
        app.screen.table.move_to_job(state.job.ref)
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        text = [each.message for each in app._notifications]
        return text, app.clipboard, text_of(pilot), list(engine.renewed)


async def test_a_link_with_enough_life_is_copied_without_a_request(app: Babeltop, engine: FakeEngine):
    text, copied, _, question = await pressed(app, engine, (link(DAY),), "Y")
    assert (copied, question) == ("https://cdn.test/old", [])
    assert text == ["Link sent to the terminal's clipboard (OSC 52)"]


@pytest.mark.parametrize("key", ["Y", "o"])
@pytest.mark.parametrize("changes", [{"one_time": True}, {"form": "job=1"}])
async def test_a_link_that_a_browser_would_use_up_is_not_given_away(
    app: Babeltop, engine: FakeEngine, changes: dict[str, object], key: str
):
    text, copied, _, _ = await pressed(app, engine, (replace(link(DAY), **changes),), key)
    assert (text, copied) == (["One download only: D downloads the file"], "")


@pytest.mark.parametrize("key", ["Y", "o", "D"])
async def test_a_viewer_of_a_team_gets_a_message_in_place_of_a_link(app: Babeltop, engine: FakeEngine, key: str):
    text, copied, screen, _ = await pressed(app, engine, (link(DAY, url=""),), key, role="viewing poller")
    assert copied == ""
    assert "viewer" in text[-1]
    assert "URL hidden from the role viewer" in screen
    assert "viewing poller" in screen


async def test_a_used_link_is_not_given_away(app: Babeltop, engine: FakeEngine):
    text, copied, _, _ = await pressed(app, engine, (replace(link(None), one_time=True, is_used=True),), "Y")
    assert (text, copied) == (["Used: the service sends this file once"], "")


@pytest.mark.parametrize(("left", "how"), [(HOUR / 2, "expires in 30m"), (-HOUR, "expired")])
async def test_an_expiring_or_expired_link_is_renewed_before_it_is_copied(app: Babeltop, engine: FakeEngine, left, how):
    fresh = CommandResult(message="Link renewed: expires in ~7d00h", links={"": link(7 * DAY, "https://cdn.test/new")})
    text, copied, _, question = await pressed(app, engine, (link(left),), "Y", renewal=fresh)
    assert (copied, len(question)) == ("https://cdn.test/new", 1)
    assert text == [
        f"Link {how}: renewing it",
        "Link renewed: expires in ~7d00h",
        "Link sent to the terminal's clipboard (OSC 52)",
    ]


async def test_a_failed_renewal_is_shown_and_no_expired_link_is_copied(app: Babeltop, engine: FakeEngine):
    failed = CommandResult(ok=False, message="not found")
    text, copied, _, _ = await pressed(app, engine, (link(-HOUR),), "Y", renewal=failed)
    assert copied == ""
    assert text[-1] == "not found"


async def test_a_failed_renewal_copies_the_old_link_while_it_has_life(app: Babeltop, engine: FakeEngine):
    message = "Renewal failed: offline. The present link expires in ~30m"
    failed = CommandResult(ok=False, message=message, links={"": link(HOUR / 2)})
    text, copied, _, _ = await pressed(app, engine, (link(HOUR / 2),), "Y", renewal=failed)
    assert copied == "https://cdn.test/old"
    assert text[1:] == [message, "Link sent to the terminal's clipboard (OSC 52)"]


async def test_only_links_of_done_jobs_are_renewed(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2", "L")
        await pilot.pause()
        assert engine.renewed == []
        assert "Only done jobs have a link" in [each.message for each in app._notifications][-1]


async def test_every_link_is_listed_with_its_expiry_and_the_source_of_it(app: Babeltop, engine: FakeEngine):
    links = (
        link(5 * DAY + 4 * HOUR, "https://cdn.test/v"),
        link(2 * HOUR, "https://cdn.test/a", LinkKind.AUDIO, exact=True),
        link(-2 * DAY, "https://cdn.test/s", LinkKind.CAPTIONS),
        link(None, "https://cdn.test/d", LinkKind.DOCUMENT),
        link(2 * HOUR, "https://cdn.test/t?AWSAccessKeyId=A&Expires=soon"),
        link(2 * HOUR, "https://cdn.test/p?AWSAccessKeyId=A&Expires=1000"),
        link(None, "https://cdn.test/t?AWSAccessKeyId=A&Expires=soon", LinkKind.DOCUMENT),
    )
    _, _, shown, _ = await pressed(app, engine, links, size=(240, 25))
    for line in (
        "video       expires in ~5d04h, 26 Nov 18:06 (estimated from first seen)",
        "audio       expires in 2h00m, 16:06 (exact: signed into the URL)",
        "captions    expired ~2d ago; L: renew",
        "document    no expiry known",
        "video       expires in ~2h00m, 16:06 (estimated from first seen; signed expiry damaged)",
        "video       expires in ~2h00m, 16:06 (estimated from first seen; signed expiry had passed)",
        "document    no expiry known; signed expiry damaged",
    ):
        assert line in shown


async def test_an_expired_link_is_shown_and_is_no_problem(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        board = app.screen.board
        problems = board.view_counts()[View.PROBLEMS]
        state = next(state for state in board.states.values() if queries.display_name(state) == "Q3 all-hands")
        engine.push(update_of(replace(state, links=(link(-HOUR),))))
        await pilot.pause()
        assert board.view_counts()[View.PROBLEMS] == problems
        (row,) = [line for line in text_of(pilot).splitlines() if "Q3 all-hands" in line]
        assert row.startswith("   ✓ done")
        assert row.rstrip(" ▐").endswith("expired")


async def test_the_detail_shows_renewals_that_returned_the_same_link(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        state = next(state for state in app.screen.board.states.values() if state.phase is Phase.DONE and state.links)
        engine.push(update_of(replace(state, failed_renewals=3)))
        app.screen.table.move_to_job(state.job.ref)
        for _ in range(50):  # the detail follows the cursor when that has been painted
            await pilot.pause()
            if "3 renewals failed: the service returned the same link" in text_of(pilot):
                return
        raise AssertionError(text_of(pilot))

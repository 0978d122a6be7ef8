"""What an operator sees of links: renewed before they are copied or opened, and never a dead one by stealth."""

import pytest
from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of
from tests.feeds import LibraryFeed, with_state
from tui.app import Babeltop
from tui.domain.jobs import Link, LinkKind, Phase
from tui.engine.feed import Outcome

HOUR, DAY = 3600.0, 86400.0


def link(left, url="https://cdn.test/old", kind=LinkKind.VIDEO, exact=False):
    return Link(kind, url, NOW - DAY, None if left is None else NOW + left, exact)


async def pressed(app, feed, links, *keys, renewal=None, size=(120, 40)):
    """The keys, on a job that is done and has these links; what was said, what was copied, what is on the screen."""
    feed.renewal = renewal
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        state = next(state for state in app.screen.board.states.values() if state.phase is Phase.DONE and state.links)
        feed.push(with_state(replace(state, links=links)))
        await pilot.pause()
        app.screen.table.point_at(state.job.ref)
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        said = [each.message for each in app._notifications]
        return said, app.clipboard, text_of(pilot), list(feed.renewed)


async def test_a_link_that_lives_long_is_copied_without_an_ask(app: Babeltop, feed: LibraryFeed):
    said, copied, _, asked = await pressed(app, feed, (link(DAY),), "Y")
    assert (copied, asked) == ("https://cdn.test/old", [])
    assert said == ["the link was sent to the terminal"]


@pytest.mark.parametrize(("left", "how"), [(HOUR / 2, "dies in 30m"), (-HOUR, "is dead")])
async def test_a_link_that_dies_soon_or_is_dead_is_renewed_and_then_copied(app: Babeltop, feed: LibraryFeed, left, how):
    fresh = Outcome(message="a fresh link: it lives about 7d00h more", links=(link(7 * DAY, "https://cdn.test/new"),))
    said, copied, _, asked = await pressed(app, feed, (link(left),), "Y", renewal=fresh)
    assert (copied, len(asked)) == ("https://cdn.test/new", 1)
    assert said == [
        f"this link {how}: asking for a fresh one",
        "a fresh link: it lives about 7d00h more",
        "the link was sent to the terminal",
    ]


async def test_a_renewal_that_fails_is_said_and_nothing_dead_is_copied(app: Babeltop, feed: LibraryFeed):
    failed = Outcome(ok=False, message="not found")
    said, copied, _, _ = await pressed(app, feed, (link(-HOUR),), "Y", renewal=failed)
    assert copied == ""
    assert said[-1] == "not found"


async def test_a_renewal_that_fails_gives_the_old_link_while_it_lives_and_says_for_how_long(
    app: Babeltop, feed: LibraryFeed
):
    message = "no fresh link: offline; there is the old one, it lives about 30m more"
    failed = Outcome(ok=False, message=message, links=(link(HOUR / 2),))
    said, copied, _, _ = await pressed(app, feed, (link(HOUR / 2),), "Y", renewal=failed)
    assert copied == "https://cdn.test/old"
    assert said[1:] == [message, "the link was sent to the terminal"]


async def test_only_what_is_done_is_asked_for_a_fresh_link(app: Babeltop, feed: LibraryFeed):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2", "L")
        await pilot.pause()
        assert feed.renewed == []
        assert "only a job that is done" in [each.message for each in app._notifications][-1]

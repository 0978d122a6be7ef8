"""Links that are good when somebody wants one, and that are renewed before they die; in virtual time."""

import asyncio

from tests.engine.scripted import Scripted, done
from tests.engine.test_asking import stage
from tests.virtual import DAY, HOUR, MINUTE, WEEK, wall
from tui.domain.jobs import Job, LinkKind, Ref

A, B = Ref("heygen", "a"), Ref("heygen", "b")
KEPT = (Job(account="heygen", id="a", keep_link=True),)


def numbered(app=None):
    """Every ask gets another link."""
    app = Scripted(lambda asked: done(f"https://cdn.test/{len(app.log)}"))
    return app


def same():
    """The link is the same until a week is over."""
    app = Scripted(lambda asked: done(f"https://cdn.test/{int((asked.at - app.times()[0]) // WEEK)}"))
    return app


def test_a_link_that_lives_an_hour_yet_costs_no_ask(tmp_path):
    app = numbered()

    async def story(found):
        await asyncio.sleep(6 * DAY)
        link = await found.session.links.fresh(A)
        assert link.url == "https://cdn.test/1"
        assert link.expires_at - wall() > HOUR
        assert len(app.log) == 1

    stage(tmp_path, app, {"heygen": ("a",)}, story, tick=MINUTE)


def test_a_link_with_less_than_an_hour_left_is_asked_for_once_by_all_who_want_it(tmp_path):
    app = numbered()
    app.seconds = 2.0

    async def story(found):
        await asyncio.sleep(WEEK - HOUR / 2)
        links = await asyncio.gather(*(found.session.links.fresh(A, LinkKind.VIDEO) for _ in range(20)))
        assert {link.url for link in links} == {"https://cdn.test/2"}
        assert len(app.log) == 2

    stage(tmp_path, app, {"heygen": ("a",)}, story, tick=MINUTE)

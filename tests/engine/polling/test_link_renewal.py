"""Renewal of links, on demand and on schedule, in virtual time."""

import asyncio

from tests.engine.polling.test_polling import PollingSetup, stage
from tests.support import fixtures
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE, WEEK, run_virtual, wall_time
from tui.domain import job_state
from tui.domain.links import expiry
from tui.domain.models import Fault, FaultKind, Job, LinkKind, Phase, Ref
from tui.engine.api import NoticeKind, Refresh, Renew
from tui.storage.watchlist.operations import Set

A = Ref("heygen-v2", "a")
KEPT = (Job(account="heygen-v2", id="a", keep_link=True),)
LOOSE = (Job(account="heygen-v2", id="a"),)


def numbered():
    """Return a service with a new link in every response."""
    app = ScriptedService(lambda request: done(f"https://cdn.test/{len(app.requests)}"))
    return app


def lasting():
    """Return a service whose link is replaced after a week."""
    born = []

    def reply(request):
        if not born or request.at >= born[-1] + WEEK:
            born.append(request.at)
        return done(f"https://cdn.test/{len(born)}")

    return ScriptedService(reply)


def turned(then):
    """Return a service whose first response is done with a link, and whose later ones are `then`."""
    app = ScriptedService(lambda request: done("https://cdn.test/1") if len(app.requests) == 1 else then)
    return app


def watched(found, days, seen):
    """Call `seen` with the state every five minutes."""

    async def look():
        for _ in range(int(days * DAY / (5 * MINUTE))):
            await asyncio.sleep(5 * MINUTE)
            seen(found[A])

    return look()


def test_a_link_with_an_hour_left_costs_no_request(tmp_path):
    app = numbered()

    async def scenario(found):
        await asyncio.sleep(6 * DAY)
        link = await found.engine.link_renewer.get_live(A)
        assert link.url == "https://cdn.test/1"
        assert link.expires_at - wall_time() > HOUR
        assert len(app.requests) == 1

    stage(tmp_path, app, LOOSE, scenario, tick=HOUR)


def test_simultaneous_renewals_of_one_link_share_one_request(tmp_path):
    app = numbered()
    app.delay = 2.0

    async def scenario(found):
        await asyncio.sleep(WEEK - HOUR / 2)
        links = await asyncio.gather(*(found.engine.link_renewer.get_live(A, LinkKind.VIDEO) for _ in range(20)))
        assert {link.url for link in links} == {"https://cdn.test/2"}
        assert len(app.requests) == 2

    stage(tmp_path, app, LOOSE, scenario, tick=HOUR)


def test_cancelling_one_waiter_keeps_the_shared_renewal(tmp_path):
    app = numbered()
    app.delay = 2.0

    async def scenario(found):
        await asyncio.sleep(WEEK)
        first = asyncio.create_task(found.engine.link_renewer.get_live(A))
        second = asyncio.create_task(found.engine.link_renewer.get_live(A))
        await asyncio.sleep(1)
        first.cancel()
        assert (await second).url == "https://cdn.test/2"

    stage(tmp_path, app, LOOSE, scenario, tick=HOUR)


def test_a_rejected_link_is_renewed_although_it_is_unexpired(tmp_path):
    app = numbered()

    async def scenario(found):
        await asyncio.sleep(MINUTE)
        link = await found.engine.link_renewer.get_live(A, LinkKind.VIDEO, "https://cdn.test/1")
        assert link.url == "https://cdn.test/2"
        assert len(app.requests) == 2

    stage(tmp_path, app, LOOSE, scenario)


def test_a_rejected_link_stays_expired_when_the_service_returns_it_again(tmp_path):
    app = lasting()

    async def scenario(found):
        await asyncio.sleep(MINUTE)
        fault = await found.engine.link_renewer.get_live(A, LinkKind.VIDEO, "https://cdn.test/1")
        assert isinstance(fault, Fault)
        assert "the same link again" in fault.message
        assert len(app.requests) == 2
        assert expiry.is_expired(job_state.primary_link(found[A]), wall_time())
        await found.engine.perform(Refresh((A,)))
        await asyncio.sleep(MINUTE)
        assert len(app.requests) == 3
        assert expiry.is_expired(job_state.primary_link(found[A]), wall_time())
        app.respond = lambda request: done("https://cdn.test/new")
        assert (await found.engine.link_renewer.get_live(A)).url == "https://cdn.test/new"
        assert not expiry.is_expired(job_state.primary_link(found[A]), wall_time())

    stage(tmp_path, app, LOOSE, scenario)


def test_a_link_is_returned_until_it_expires_if_its_renewal_failed(tmp_path):
    app = turned((500, {}, {}))

    async def scenario(found):
        await asyncio.sleep(WEEK - HOUR / 2)
        link = await found.engine.link_renewer.get_live(A)
        assert link.url == "https://cdn.test/1"
        assert 0 < link.expires_at - wall_time() < HOUR
        await asyncio.sleep(HOUR)
        fault = await found.engine.link_renewer.get_live(A)
        assert fault.kind is FaultKind.SERVER
        assert (found[A].phase, found[A].fault) == (Phase.DONE, fault)

    stage(tmp_path, app, LOOSE, scenario, tick=HOUR)


def test_a_link_is_never_renewed_before_not_before(tmp_path):
    app = turned((429, {}, {"retry-after": "300"}))

    async def scenario(found):
        await asyncio.sleep(WEEK + MINUTE)
        assert (await found.engine.link_renewer.get_live(A)).kind is FaultKind.LIMITED
        fault = await found.engine.link_renewer.get_live(A)
        assert "no request sent" in fault.message
        assert len(app.requests) == 2

    stage(tmp_path, app, LOOSE, scenario, tick=HOUR)


def test_a_renewal_without_a_link_states_the_reason(tmp_path):
    app = ScriptedService(lambda request: running())

    async def scenario(found):
        await asyncio.sleep(MINUTE)
        assert "no such link yet" in (await found.engine.link_renewer.get_live(A)).message
        assert "not on the watchlist" in (await found.engine.link_renewer.get_live(Ref("heygen-v2", "z"))).message

    stage(tmp_path, app, LOOSE, scenario)


def test_a_kept_link_stays_alive_for_a_month_with_one_poll_a_week(tmp_path):
    app = numbered()

    async def scenario(found):
        await asyncio.sleep(MINUTE)
        left = []
        await watched(found, 30, lambda state: left.append(job_state.primary_link(state).expires_at - wall_time()))
        assert min(left) > 18 * HOUR - 5 * MINUTE
        assert len(app.requests) <= 6

    stage(tmp_path, app, KEPT, scenario, tick=HOUR)


def test_renewals_back_off_while_the_service_returns_the_same_link(tmp_path):
    app = lasting()

    async def scenario(found):
        await asyncio.sleep(MINUTE)
        dead = []
        await watched(
            found, 29, lambda state: dead.append(expiry.is_expired(job_state.primary_link(state), wall_time()))
        )
        assert sum(dead) <= 4  # a look or none at each of four deaths
        assert len(app.requests) <= 1 + 4 * 9

    stage(tmp_path, app, KEPT, scenario, tick=HOUR)


def test_a_404_at_a_renewal_keeps_the_job_done_and_its_link_until_it_expires(tmp_path):
    app = turned((404, {"error": {"message": "not found"}}, {}))

    async def scenario(found):
        await asyncio.sleep(MINUTE)
        phases, links = set(), set()
        await watched(found, 6.9, lambda state: (phases.add(state.phase), links.add(state.links)))
        assert phases == {Phase.DONE}
        assert {link.url for (link,) in links} == {"https://cdn.test/1"}
        assert found[A].fault.kind is FaultKind.MISSING
        assert 2 <= len(app.requests) <= 9

    stage(tmp_path, app, KEPT, scenario, tick=HOUR)


def test_a_job_that_runs_again_at_its_renewal_stays_done_until_a_user_requested_poll(tmp_path):
    app = turned(running())

    async def scenario(found):
        await asyncio.sleep(6.5 * DAY)
        assert found[A].phase is Phase.DONE
        assert "running" in found[A].fault.message
        await found.engine.perform(Refresh((A,)))
        await asyncio.sleep(MINUTE)
        assert found[A].phase is Phase.RUNNING

    stage(tmp_path, app, KEPT, scenario, tick=HOUR)


def test_keep_link_takes_effect_at_once(tmp_path):
    app = numbered()

    async def scenario(found):
        await asyncio.sleep(WEEK)
        assert found[A].next_poll_at is None
        await found.engine.perform(Set((A,), {"keep_link": True}))
        await asyncio.sleep(15 * MINUTE)
        assert job_state.primary_link(found[A]).url == "https://cdn.test/2"

    stage(tmp_path, app, LOOSE, scenario, tick=HOUR)


def test_the_result_of_a_renewal_states_the_expiry(tmp_path):
    async def scenario(found):
        await asyncio.sleep(DAY)
        outcome = await found.engine.perform(Renew((A,)))
        assert outcome.ok
        assert outcome.message == "New link: expires in ~7d00h"
        assert [link.url for link in outcome.links.values()] == ["https://cdn.test/2"]

    stage(tmp_path, numbered(), LOOSE, scenario, tick=HOUR)


def test_the_result_of_a_renewal_names_an_unchanged_link_and_a_fault(tmp_path):
    app = lasting()

    async def scenario(found):
        await asyncio.sleep(DAY)
        outcome = await found.engine.perform(Renew((A,)))
        assert outcome.message == "The service returned the same link: expires in ~6d00h"
        app.respond = lambda request: (500, {}, {})
        outcome = await found.engine.perform(Renew((A,)))
        assert not outcome.ok
        assert "Renewal failed: " in outcome.message
        assert "current link: expires in ~6d00h" in outcome.message
        assert [link.url for link in outcome.links.values()] == ["https://cdn.test/1"]
        await asyncio.sleep(WEEK)
        outcome = await found.engine.perform(Renew((A,)))
        assert not outcome.ok
        assert outcome.links == {}

    stage(tmp_path, app, LOOSE, scenario, tick=HOUR)


def test_many_renewals_share_the_rate_limit_and_give_one_message(tmp_path):
    app = numbered()
    jobs = tuple(Job(account="heygen-v2", id=f"j{number}") for number in range(12))

    async def scenario(found):
        await asyncio.sleep(DAY)
        before, began = len(app.requests), wall_time()
        outcome = await found.engine.perform(Renew(tuple(job.ref for job in jobs)))
        assert outcome.message == "12 new links; the first expires in 6d23h"
        assert len(outcome.links) == 12
        assert len(app.requests) - before == 12
        assert wall_time() - began > 30  # ten a minute

    stage(tmp_path, app, jobs, scenario, tick=HOUR, rate=10)


def test_an_estimated_expiry_counts_from_the_first_sight_across_restarts(tmp_path):
    app = lasting()

    async def begun(found):
        await asyncio.sleep(MINUTE)
        ends.append(job_state.primary_link(found[A]).expires_at)

    async def again(found):
        await asyncio.sleep(5 * DAY)
        await found.engine.perform(Refresh((A,)))
        await asyncio.sleep(MINUTE)
        assert len(app.requests) == 2
        ends.append(job_state.primary_link(found[A]).expires_at)

    async def twice():
        for scenario in (begun, again):
            found = PollingSetup(tmp_path, app, LOOSE, tick=HOUR)
            async with fixtures.running_engine(found.engine):
                await scenario(found)
            found.workspace.close()

    ends = []
    run_virtual(twice())
    assert len(ends) == 2
    assert ends[0] == ends[1]


def test_a_failing_renewal_is_reported_once_and_long_before_the_expiry(tmp_path):
    async def scenario(found):
        await asyncio.sleep(WEEK - 6 * HOUR)
        received = [notice for notice in found.listener.notices if notice.kind is NoticeKind.EXPIRING]
        assert len(received) == 1
        assert received[0].at < EPOCH + WEEK - 17 * HOUR
        assert "2 renewals failed: the service returned the same link" in received[0].text

    stage(tmp_path, lasting(), KEPT, scenario, tick=10 * MINUTE)


def test_a_renewed_link_causes_no_notice(tmp_path):
    async def scenario(found):
        await asyncio.sleep(3 * WEEK)
        assert [notice for notice in found.listener.notices if notice.kind is NoticeKind.EXPIRING] == []

    stage(tmp_path, numbered(), KEPT, scenario, tick=HOUR)


def test_a_single_renewal_does_not_wait_for_many(tmp_path):
    app = numbered()
    jobs = tuple(Job(account="heygen-v2", id=f"j{number}") for number in range(60))

    async def scenario(found):
        await asyncio.sleep(WEEK + HOUR)
        many = asyncio.create_task(found.engine.perform(Renew(tuple(job.ref for job in jobs[1:]))))
        await asyncio.sleep(MINUTE)
        began = wall_time()
        assert not isinstance(await found.engine.link_renewer.get_live(jobs[0].ref), Fault)
        assert wall_time() - began < 30
        assert not many.done()
        assert (await many).ok
        assert wall_time() - began > 3 * MINUTE

    stage(tmp_path, app, jobs, scenario, tick=HOUR, rate=10)

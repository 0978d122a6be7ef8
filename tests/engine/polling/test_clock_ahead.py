"""Clock that was ahead, and is right again: what it wrote is repaired when it is read, and written back."""

import asyncio
from contextlib import closing

import pytest
from msgspec.structs import replace

from tests.engine.polling.test_polling import A, B, stage
from tests.support import fixtures
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE
from tui.domain.clock_repair import FIRST_CREDIBLE_NOW, clock_lead
from tui.domain.models import DownloadedFile, Phase
from tui.storage.journal.journal import Journal, JournalEntry

LEADS = (10.0, 2 * HOUR, 400 * DAY)
"""Seconds by which the clock was ahead."""


def journal_of(tmp):
    return closing(Journal(tmp / "state" / "journal.db"))


def poll_ahead(tmp, app, lead, seconds=MINUTE):
    """Run an engine whose clock is ahead."""

    async def scenario(stage):
        await asyncio.sleep(seconds)

    stage(tmp, app, {"heygen-v2": ("a", "b")}, scenario, ahead=lambda: lead, rate=1.0)


@pytest.mark.parametrize("lead", LEADS)
def test_polling_goes_on_at_once_and_later_instants_are_gone(tmp_path, lead):
    app = ScriptedService(lambda request: running())
    poll_ahead(tmp_path, app, lead)
    before = len(app.requests)

    async def scenario(stage):
        await asyncio.sleep(2.5 * MINUTE)
        assert len(app.requests) >= before + 2  # as one a minute allows
        for ref in (A, B):
            assert clock_lead(stage[ref], EPOCH + 2.5 * MINUTE) == 0

    stage(tmp_path, app, {"heygen-v2": ("a", "b")}, scenario, rate=1.0)
    with journal_of(tmp_path) as journal:
        limit = journal.rate_limits.get("heygen-v2")
        assert not limit.is_from_future(EPOCH + 3 * MINUTE)
        for state in journal.states().values():
            assert clock_lead(state, EPOCH + 3 * MINUTE) == 0


@pytest.mark.parametrize("lead", LEADS)
def test_a_retry_after_is_as_far_away_as_it_was(tmp_path, lead):
    app = ScriptedService(lambda request: (429, {}, {"retry-after": "120"}) if len(app.requests) == 1 else running())

    async def limited(stage):
        await stage.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(1)

    async def later(stage):
        await asyncio.sleep(10 * MINUTE)

    stage(tmp_path, app, {"heygen-v2": ("a",)}, limited, ahead=lambda: lead)
    stage(tmp_path, app, {"heygen-v2": ("a",)}, later)
    assert 118 <= app.request_times()[1] - EPOCH < 150


def test_the_links_of_a_clock_that_was_ahead_live_as_long_as_they_should(tmp_path):
    expiry = EPOCH + 3 * HOUR
    signed = f"https://cdn.test/1?Expires={expiry:.0f}&Signature=x&Key-Pair-Id=K"
    app = ScriptedService(lambda request: done(signed if request.id == "a" else "https://cdn.test/2"))
    poll_ahead(tmp_path, app, 2 * HOUR, 5 * MINUTE)

    async def scenario(stage):
        await asyncio.sleep(1)
        (exact,), (estimated,) = stage[A].links, stage[B].links
        assert exact.expires_at == expiry
        assert abs(estimated.expires_at - (EPOCH + 7 * DAY)) < 5 * MINUTE

    stage(tmp_path, app, {"heygen-v2": ("a", "b")}, scenario, rate=1.0)


def test_a_clock_that_is_set_back_hides_no_report_of_another_process(tmp_path):
    """As with `check` beside a console: its report was the later one, but by the clock the earlier."""
    app = ScriptedService(lambda request: running())
    ahead = [2 * HOUR]

    async def scenario(stage):
        await asyncio.sleep(5 * MINUTE)
        ahead[0] = 0.0
        await asyncio.sleep(20)  # two ticks
        now = EPOCH + 5 * MINUTE + 20
        external = replace(stage[A], phase=Phase.DONE, phase_since=now, checked_at=now, poll_count=99)
        with journal_of(tmp_path) as journal:
            journal.record([JournalEntry(external)])
        await asyncio.sleep(20)
        assert stage[A].phase is Phase.DONE
        assert stage[A].poll_count >= 99

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, ahead=lambda: ahead[0], rate=0.05, tick=10)


def test_a_download_of_a_clock_that_was_ahead_is_replaced_by_the_next(tmp_path):
    app = ScriptedService(lambda request: done("https://cdn.test/1"))
    poll_ahead(tmp_path, app, 2 * HOUR, 5 * MINUTE)
    with journal_of(tmp_path) as journal:
        state = journal.states()[A]
        file = DownloadedFile("video", "/d/a", 1, EPOCH + 2 * HOUR + 5 * MINUTE)
        journal.record([JournalEntry(replace(state, downloads=(file,)))])

    async def scenario(stage):
        await asyncio.sleep(MINUTE)
        assert stage[A].downloads == (replace(file, downloaded_at=EPOCH),)

    stage(tmp_path, app, {"heygen-v2": ("a", "b")}, scenario)
    with journal_of(tmp_path) as journal:
        newer = DownloadedFile("video", "/d/b", 2, EPOCH + 2 * MINUTE)
        journal.record([JournalEntry(replace(journal.states()[A], downloads=(newer,)))])
        assert journal.states()[A].downloads == (newer,)


def test_a_clock_that_was_never_set_repairs_nothing(tmp_path):
    app = ScriptedService(lambda request: running())
    poll_ahead(tmp_path, app, 0.0)
    with journal_of(tmp_path) as journal:
        assert {clock_lead(state, FIRST_CREDIBLE_NOW - 1) for state in journal.states().values()} == {0.0}
        assert any(clock_lead(state, FIRST_CREDIBLE_NOW) > 0 for state in journal.states().values())


def test_a_refusal_of_a_clock_that_was_ahead_ends_after_a_day(tmp_path):
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.successors.record_refusal("heygen-v2", "a", "heygen", EPOCH + 400 * DAY)
        assert journal.successors.refusals("heygen-v2", "heygen", EPOCH) == {"a": EPOCH}
        assert journal.successors.refusals("heygen-v2", "heygen", EPOCH + HOUR) == {"a": EPOCH}


def test_an_alert_of_a_clock_that_was_ahead_is_silent_from_now_on_and_not_from_then(tmp_path):
    with closing(Journal(tmp_path / "journal.db")) as journal:
        claim = journal.notifications.claim
        assert claim({"x": DAY}, EPOCH + 2 * HOUR)
        assert not claim({"x": DAY}, EPOCH)
        assert not claim({"x": DAY}, EPOCH + DAY - 1)
        assert claim({"x": DAY}, EPOCH + DAY)

"""Quiet time in virtual time: nothing disturbs anyone before its end, one summary follows, and a restart loses none."""

import asyncio
import time
from datetime import datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.notifications.test_alerts import AlertConsole, link
from tests.support.scripted_service import ScriptedService, running
from tests.support.virtual_time import EPOCH, HOUR, MINUTE, run_virtual, wall_time
from tui.engine.api import NoticeKind
from tui.engine.notifications.routing import select
from tui.presentation.descriptions import describe_summary
from tui.storage.config.quiet_time import QuietTime
from tui.storage.config.settings import AlertSettings, Hook, HookEvent, SettingsError, read

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
"""Central European time, as POSIX has it: no database of time zones is needed."""


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    """Set the local time zone; by default that of the virtual times, UTC."""

    def set_zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    set_zone("UTC0")
    yield set_zone
    monkeypatch.undo()
    time.tzset()


def at(text):
    return datetime.fromisoformat(text).timestamp()


def local_times(period):
    return None if period is None else tuple(time.strftime("%d %H:%M", time.localtime(each)) for each in period)


@pytest.mark.parametrize(
    ("quiet", "now", "period"),
    [
        ("22:00-07:00", "2026-05-04 21:59", None),
        ("22:00-07:00", "2026-05-04 22:00", ("04 22:00", "05 07:00")),
        ("22:00-07:00", "2026-05-05 06:59", ("04 22:00", "05 07:00")),
        ("22:00-07:00", "2026-05-05 07:00", None),
        ("12:00-13:30", "2026-05-05 13:00", ("05 12:00", "05 13:30")),
        ("00:00-06:00", "2026-05-05 00:00", ("05 00:00", "05 06:00")),
        ("18:00-00:00", "2026-05-05 23:59", ("05 18:00", "06 00:00")),
    ],
)
def test_a_quiet_time_is_local_and_may_pass_midnight(quiet, now, period):
    assert local_times(QuietTime.parse(quiet).period(at(now))) == period


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 8), ("2026-10-24", 10), ("2026-05-04", 9)])
def test_a_night_with_a_change_of_the_clock_is_an_hour_shorter_or_longer(zone, day, hours):
    zone(BERLIN)
    quiet = QuietTime.parse("22:00-07:00")
    begins = at(f"{day} 22:00")
    assert quiet.period(begins - 1) is None
    assert quiet.period(begins) == (begins, begins + hours * HOUR)
    assert quiet.period(begins + hours * HOUR) is None
    assert quiet.last_period(begins + hours * HOUR) == (begins, begins + hours * HOUR)


def test_an_end_that_the_clock_repeats_comes_once_and_one_that_it_skips_comes_too(zone):
    zone(BERLIN)
    quiet = QuietTime.parse("01:00-02:30")
    first = at("2026-10-25 02:30")
    assert [quiet.period(first + shift) is not None for shift in (-1, 0, HOUR - 1, HOUR)] == [True, False, False, False]
    skipped = at("2026-03-29 01:30")
    assert quiet.period(skipped) is not None
    assert quiet.period(skipped + 2 * HOUR) is None


@given(
    st.times().map(lambda each: f"{each:%H:%M}"),
    st.times().map(lambda each: f"{each:%H:%M}"),
    st.integers(int(EPOCH), int(EPOCH) + 2 * 366 * 86400),
)
def test_every_instant_is_in_a_period_or_after_one_that_has_ended(begins, ends, now):
    if begins == ends:
        return
    quiet = QuietTime.parse(f"{begins}-{ends}")
    period, last = quiet.period(now), quiet.last_period(now)
    assert last.begins_at < last.ends_at <= now < last.ends_at + 2 * 86400 + HOUR
    assert period is None or (last.ends_at <= period.begins_at <= now < period.ends_at)


@pytest.mark.parametrize("value", ["22:00", "24:00-07:00", "22:00-07:60", "22-7", "07:00-07:00"])
def test_an_invalid_quiet_time_is_named_with_its_line(tmp_path, value):
    (tmp_path / "config.toml").write_text(f'[alerts]\nbell = true\nquiet = "{value}"\n')
    with pytest.raises(SettingsError, match=r"line 3: alerts.quiet: .*'(22:00-07:00|07:00-07:00)'"):
        read(tmp_path / "config.toml")


@pytest.mark.parametrize("event", get_args(HookEvent))
def test_a_summary_has_words_for_every_event(event):
    assert describe_summary({event: 2}, ("a", "b")).startswith("In the quiet time: 2 ")


def test_a_summary_names_problems_first_and_few_jobs():
    counts = {"done": 12, "expired": 1, "failed": 1, "expiring": 2}
    text = describe_summary(counts, ("a", "b", "c", "d", "e"))
    assert text == "In the quiet time: 1 failed, 1 link expired, 2 links expiring, 12 done (a, b, c and 2 more)"


# Virtual time begins at 08:00.


class QuietConsole(AlertConsole):
    """Console whose settings have a quiet time."""

    def __init__(self, tmp, app, jobs=(), quiet="08:00-12:00", **more):
        self.quiet = AlertSettings(quiet=QuietTime.parse(quiet))
        super().__init__(tmp, app, jobs, alerts=self.quiet, **more)
        self.context = self.library.config.evaluation_context(wall_time())

    def for_hook(self, hook):
        """Return the events that a hook gets."""
        return [selected for event in self.delivered if (selected := select(hook, event, self.context)) is not None]

    def summaries(self):
        return [notice.text for notice in self.listener.notices if notice.kind is NoticeKind.SUMMARY]


ALL = Hook(run=("true",), on=("running", "done", "expiring", "refused"))
AT_ONCE = Hook(run=("true",), on=("done",), ignore_quiet=True)


def test_alerts_of_a_quiet_time_become_one_summary_at_its_end(tmp_path):
    app = ScriptedService(lambda request: link(HOUR * 30))

    async def play():
        console = await QuietConsole(tmp_path, app, {"heygen-v2": ("a", "b")}).start()
        await asyncio.sleep(4 * HOUR - MINUTE)
        assert console.for_hook(ALL) == console.summaries() == []
        assert [each.event for each in console.for_hook(AT_ONCE)] == ["done", "done"]
        await asyncio.sleep(2 * MINUTE)
        (summary,) = console.for_hook(ALL)
        assert (summary.event, summary.at) == ("summary", EPOCH + 4 * HOUR)
        assert summary.text == "In the quiet time: 2 done (a, b)"
        assert [each.event for each in summary.summarized] == ["done", "done"]
        assert console.summaries() == [summary.text]
        assert len(console.for_hook(AT_ONCE)) == 2
        await asyncio.sleep(3 * HOUR)
        assert [each.event for each in console.for_hook(ALL)] == ["summary", "expiring"], "after the quiet time at once"
        await console.end()

    run_virtual(play())


def test_a_restart_within_the_quiet_time_loses_no_alert(tmp_path):
    app = ScriptedService(lambda request: running() if request.id == "late" else link(7 * HOUR * 24))

    async def play():
        first = await QuietConsole(tmp_path, app, {"heygen-v2": ("a", "late")}).start()
        await asyncio.sleep(HOUR)
        await first.end()
        assert first.for_hook(ALL) == []
        second = await QuietConsole(tmp_path, app).start()
        await asyncio.sleep(HOUR)
        app.respond = lambda request: link(7 * HOUR * 24)
        await asyncio.sleep(3 * HOUR)
        (summary,) = second.for_hook(ALL)
        assert {(each.event, each.state.job.id) for each in summary.summarized} == {
            ("done", "a"), ("running", "late"), ("done", "late"),
        }  # fmt: skip
        assert second.summaries() == ["In the quiet time: 2 done (a, late)"]
        await second.end()
        third = await QuietConsole(tmp_path, app).start()
        await asyncio.sleep(HOUR)
        assert third.for_hook(ALL) == third.summaries() == []
        await third.end()

    run_virtual(play())


@pytest.mark.parametrize("hook", [ALL, AT_ONCE, None])
def test_a_kill_between_a_phase_change_and_its_claim_does_not_lose_it_from_the_summary(tmp_path, hook):
    app = ScriptedService(lambda request: link(7 * HOUR * 24))

    async def play():
        first = await QuietConsole(tmp_path, app, {"heygen-v2": ("a",)}, hook=hook).start()
        monitor = first.engine._alert_monitor
        while not monitor._pending:  # noqa: ASYNC110  in virtual time
            await asyncio.sleep(0.5)
        monitor._pending.clear()  # as in a process that is killed now
        await first.end()
        second = await QuietConsole(tmp_path, app, hook=hook).start()
        await asyncio.sleep(4 * HOUR + MINUTE)
        assert second.summaries() == ["In the quiet time: 1 done (a)"]
        if hook is not None:
            assert [each.event for each in second.for_hook(hook)] == ["summary" if hook is ALL else "done"]
        await second.end()
        third = await QuietConsole(tmp_path, app, hook=hook).start()
        await asyncio.sleep(HOUR)
        assert third.delivered == third.summaries() == []
        await third.end()

    run_virtual(play())


def test_a_start_after_the_quiet_time_sends_its_summary(tmp_path):
    app = ScriptedService(lambda request: link(7 * HOUR * 24))

    async def play():
        first = await QuietConsole(tmp_path, app, {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(HOUR)
        await first.end()
        await asyncio.sleep(6 * HOUR)
        second = await QuietConsole(tmp_path, app).start()
        await asyncio.sleep(2 * MINUTE)
        assert [each.text for each in second.for_hook(ALL)] == second.summaries() == ["In the quiet time: 1 done (a)"]
        await second.end()

    run_virtual(play())


def test_of_two_consoles_one_sends_the_summary_and_both_show_it(tmp_path):
    app = ScriptedService(lambda request: link(7 * HOUR * 24))

    async def play():
        consoles = [
            await QuietConsole(tmp_path, app, {"heygen-v2": ("a",)}).start(),
            await QuietConsole(tmp_path, app).start(),
        ]
        await asyncio.sleep(5 * HOUR)
        assert sorted(len(console.for_hook(ALL)) for console in consoles) == [0, 1]
        assert [console.summaries() for console in consoles] == [["In the quiet time: 1 done (a)"]] * 2
        for console in reversed(consoles):
            await console.end()

    run_virtual(play())


def test_a_readonly_console_takes_no_event_from_a_hook_that_ignores_the_quiet_time(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        jobs = {"heygen-v2": ("a",)}
        readonly = await QuietConsole(tmp_path, app, jobs, hook=AT_ONCE, readonly=True).start()
        await asyncio.sleep(2.1)  # its tick is the first to see a change
        other = await QuietConsole(tmp_path, app, hook=AT_ONCE).start()
        await asyncio.sleep(MINUTE)
        app.respond = lambda request: link(7 * HOUR * 24)
        await asyncio.sleep(5 * HOUR)
        assert [each.event for each in other.for_hook(AT_ONCE)] == ["done"]
        assert [console.summaries() for console in (readonly, other)] == [["In the quiet time: 1 done (a)"]] * 2
        await other.end()
        await readonly.end()

    run_virtual(play())


def test_a_link_that_was_renewed_in_the_quiet_time_is_not_in_the_summary(tmp_path):
    app = ScriptedService(lambda request: link(25 * HOUR))

    async def play():
        console = await QuietConsole(tmp_path, app, {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(2 * HOUR)
        app.respond = lambda request: link(7 * 24 * HOUR, 1)
        await console.engine.link_renewer.renew(next(iter(console.engine.states)))
        await asyncio.sleep(2 * HOUR + MINUTE)
        (summary,) = console.for_hook(ALL)
        assert [each.event for each in summary.summarized] == ["done"]
        await console.end()

    run_virtual(play())


def test_a_refused_account_is_in_the_summary_without_any_hook(tmp_path):
    app = ScriptedService(lambda request: (401, {"message": "no"}, {}))

    async def play():
        console = await QuietConsole(tmp_path, app, {"heygen-v2": ("a",)}, hook=None).start()
        await asyncio.sleep(4 * HOUR + MINUTE)
        assert console.summaries() == ["In the quiet time: 1 account refused (heygen-v2)"]
        assert wall_time() < EPOCH + 5 * HOUR
        await console.end()

    run_virtual(play())

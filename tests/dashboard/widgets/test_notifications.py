"""Notifier: which notices become toast, bell, desktop notification or digest."""

from datetime import datetime

import pytest

from tui.dashboard.widgets.notifications import (
    DIGEST_WINDOW,
    MAX_SINGLE_NOTICES,
    Notifier,
)
from tui.domain.models import Ref
from tui.engine.api import Notice, NoticeKind
from tui.storage.config.quiet_time import QuietTime
from tui.storage.config.settings import AlertSettings


class RecordingConsole:
    """Console that records toasts, bells and desktop notifications; its clock is manual."""

    def __init__(self, alerts: AlertSettings) -> None:
        self.toasts: list[str] = []
        self.desktop: list[str] = []
        self.bells = 0
        self.now = 100.0
        self.wall_time = 0.0
        self.timers: list[tuple[float, object]] = []
        self.notifier = Notifier(
            alerts,
            toast=lambda text, _: self.toasts.append(text),
            bell=self.ring,
            desktop=self.desktop.append,
            call_later=lambda seconds, do: self.timers.append((self.now + seconds, do)),
            now=lambda: self.now,
            wall_time=lambda: self.wall_time,
        )

    def ring(self) -> None:
        self.bells += 1

    def end_jobs(self, count: int, kind: NoticeKind = NoticeKind.DONE) -> None:
        self.notifier.deliver([Notice(kind, f"job {at}: {kind}", Ref("a", str(at)), 0.0) for at in range(count)])

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if timer[0] <= self.now]
        self.timers = [timer for timer in self.timers if timer not in due]
        for _, do in due:
            do()


@pytest.fixture
def console() -> RecordingConsole:
    return RecordingConsole(AlertSettings())


def test_few_notices_are_shown_singly_with_one_bell(console: RecordingConsole):
    console.end_jobs(2)
    assert console.toasts == console.desktop == ["job 0: done", "job 1: done"]
    assert console.bells == 1


def test_many_notices_at_once_become_one_digest(console: RecordingConsole):
    console.end_jobs(40)
    assert console.toasts == console.desktop == ["40 jobs changed: 40 done. J: recent events"]
    assert console.bells == 1


def test_many_notices_in_a_window_are_a_few_and_a_digest(console: RecordingConsole):
    for _ in range(20):
        console.end_jobs(1)
        console.advance(0.1)
    assert len(console.toasts) == MAX_SINGLE_NOTICES
    console.advance(DIGEST_WINDOW)
    assert console.toasts[MAX_SINGLE_NOTICES:] == ["17 jobs changed: 17 done. J: recent events"]
    assert console.bells == MAX_SINGLE_NOTICES + 1


def test_a_long_burst_becomes_one_digest_per_window(console: RecordingConsole):
    for _ in range(600):
        console.end_jobs(1)
        console.advance(0.1)
    assert len(console.toasts) <= MAX_SINGLE_NOTICES + 60 / DIGEST_WINDOW
    console.advance(DIGEST_WINDOW)
    counted = sum(int(text.split()[0]) for text in console.toasts if "jobs changed:" in text)
    assert counted == 600 - MAX_SINGLE_NOTICES, "none is lost"


def test_notices_are_shown_singly_again_after_a_quiet_window(console: RecordingConsole):
    console.end_jobs(40)
    console.advance(DIGEST_WINDOW)
    console.end_jobs(1)
    assert console.toasts[1:] == ["job 0: done"]


def test_few_pending_notices_are_shown_singly(console: RecordingConsole):
    console.end_jobs(3)
    console.end_jobs(2, NoticeKind.FAILED)
    assert len(console.toasts) == 3
    console.advance(DIGEST_WINDOW)
    assert console.toasts[3:] == ["job 0: failed", "job 1: failed"]


def test_a_digest_counts_each_kind(console: RecordingConsole):
    console.notifier.deliver(
        [
            *(Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.DONE, NoticeKind.DONE, NoticeKind.FAILED)),
            *(Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.EXPIRING, NoticeKind.STALLED)),
        ]
    )
    assert console.toasts == ["5 jobs changed: 2 done, 1 failed, 1 expiring, 1 stalled. J: recent events"]


def test_account_notices_are_not_in_a_digest(console: RecordingConsole):
    console.end_jobs(40)
    console.notifier.deliver([Notice(NoticeKind.ACCOUNT, "heygen is not polled any more", None, 0.0)])
    assert console.toasts[1:] == console.desktop[1:] == ["heygen is not polled any more"]
    assert console.bells == 2


def test_downloads_ring_no_bell_but_ended_jobs_of_the_same_digest_do(console: RecordingConsole):
    console.end_jobs(40, NoticeKind.DOWNLOADED)
    assert console.toasts == ["40 jobs changed: 40 downloaded. J: recent events"]
    assert (console.bells, console.desktop) == (0, [])
    console.advance(DIGEST_WINDOW)
    console.notifier.deliver(
        [Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.DOWNLOADED, NoticeKind.DONE) * 4]
    )
    assert (console.bells, console.desktop) == (1, ["8 jobs changed: 4 downloaded, 4 done. J: recent events"])


def test_a_hook_that_fails_rings_no_bell(console: RecordingConsole):
    console.notifier.deliver([Notice(NoticeKind.HOOK, "Hook 1 (x) exited with status 1", None, 0.0)])
    assert console.toasts == ["Hook 1 (x) exited with status 1"]
    assert (console.bells, console.desktop) == (0, [])


def test_bell_and_desktop_notifications_can_be_disabled():
    console = RecordingConsole(AlertSettings(bell=False, desktop=False))
    console.end_jobs(1)
    console.end_jobs(40)
    console.advance(DIGEST_WINDOW)
    assert len(console.toasts) == 2
    assert (console.bells, console.desktop) == (0, [])


def test_the_daily_notice_of_expiring_links_is_not_in_a_digest(console: RecordingConsole):
    word = Notice(NoticeKind.EXPIRING, "12 links expire in the next 1d12h", None, 0.0)
    jobs = [Notice(NoticeKind.DONE, "x", Ref("a", str(number)), 0.0) for number in range(9)]
    console.notifier.deliver([*jobs, word])
    assert sorted(console.toasts) == [word.text, "9 jobs changed: 9 done. J: recent events"]


def test_a_quiet_time_leaves_the_toasts_and_silences_the_rest():
    quiet = RecordingConsole(AlertSettings(quiet=QuietTime.parse("00:00-23:59")))
    quiet.wall_time = datetime.fromisoformat("2026-05-04 12:00").timestamp()
    quiet.end_jobs(2)
    assert (quiet.toasts, quiet.desktop, quiet.bells) == (["job 0: done", "job 1: done"], [], 0)
    quiet.wall_time = datetime.fromisoformat("2026-05-04 23:59").timestamp()
    quiet.notifier.deliver([Notice(NoticeKind.SUMMARY, "In the quiet time: 2 done (a, b)", None, 0.0)])
    assert (quiet.toasts[2:], quiet.desktop, quiet.bells) == (quiet.desktop, ["In the quiet time: 2 done (a, b)"], 1)

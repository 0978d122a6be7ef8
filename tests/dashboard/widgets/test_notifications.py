"""Notifier: which notices become toast, bell, desktop notification or digest."""

import pytest

from tui.dashboard.widgets.notifications import (
    DIGEST_WINDOW,
    MAX_SINGLE_NOTICES,
    Notifier,
)
from tui.domain.models import Ref
from tui.engine.api import Notice, NoticeKind
from tui.storage.config.settings import AlertSettings


class Person:
    """Sees toasts, hears bells; her clock stands until it is turned."""

    def __init__(self, alerts: AlertSettings) -> None:
        self.toasts: list[str] = []
        self.desktop: list[str] = []
        self.bells = 0
        self.now = 100.0
        self.timers: list[tuple[float, object]] = []
        self.notices = Notifier(
            alerts,
            toast=lambda text, _: self.toasts.append(text),
            bell=self.ring,
            desktop=self.desktop.append,
            call_later=lambda seconds, do: self.timers.append((self.now + seconds, do)),
            now=lambda: self.now,
        )

    def ring(self) -> None:
        self.bells += 1

    def ended(self, count: int, kind: NoticeKind = NoticeKind.DONE) -> None:
        self.notices.deliver([Notice(kind, f"job {at}: {kind}", Ref("a", str(at)), 0.0) for at in range(count)])

    def wait(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if timer[0] <= self.now]
        self.timers = [timer for timer in self.timers if timer not in due]
        for _, do in due:
            do()


@pytest.fixture
def person() -> Person:
    return Person(AlertSettings())


def test_few_notices_are_shown_singly_with_one_bell(person: Person):
    person.ended(2)
    assert person.toasts == person.desktop == ["job 0: done", "job 1: done"]
    assert person.bells == 1


def test_many_notices_at_once_become_one_digest(person: Person):
    person.ended(40)
    assert person.toasts == person.desktop == ["40 jobs changed: 40 done. J: recent events"]
    assert person.bells == 1


def test_many_notices_in_a_window_are_a_few_and_a_digest(person: Person):
    for _ in range(20):
        person.ended(1)
        person.wait(0.1)
    assert len(person.toasts) == MAX_SINGLE_NOTICES
    person.wait(DIGEST_WINDOW)
    assert person.toasts[MAX_SINGLE_NOTICES:] == ["17 jobs changed: 17 done. J: recent events"]
    assert person.bells == MAX_SINGLE_NOTICES + 1


def test_a_long_burst_becomes_one_digest_per_window(person: Person):
    for _ in range(600):
        person.ended(1)
        person.wait(0.1)
    assert len(person.toasts) <= MAX_SINGLE_NOTICES + 60 / DIGEST_WINDOW
    person.wait(DIGEST_WINDOW)
    counted = sum(int(text.split()[0]) for text in person.toasts if "jobs changed:" in text)
    assert counted == 600 - MAX_SINGLE_NOTICES, "none is lost"


def test_notices_are_shown_singly_again_after_a_quiet_window(person: Person):
    person.ended(40)
    person.wait(DIGEST_WINDOW)
    person.ended(1)
    assert person.toasts[1:] == ["job 0: done"]


def test_few_pending_notices_are_shown_singly(person: Person):
    person.ended(3)
    person.ended(2, NoticeKind.FAILED)
    assert len(person.toasts) == 3
    person.wait(DIGEST_WINDOW)
    assert person.toasts[3:] == ["job 0: failed", "job 1: failed"]


def test_a_digest_counts_each_kind(person: Person):
    person.notices.deliver(
        [
            *(Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.DONE, NoticeKind.DONE, NoticeKind.FAILED)),
            *(Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.EXPIRING, NoticeKind.STALLED)),
        ]
    )
    assert person.toasts == ["5 jobs changed: 2 done, 1 failed, 1 expiring, 1 stalled. J: recent events"]


def test_account_notices_are_not_in_a_digest(person: Person):
    person.ended(40)
    person.notices.deliver([Notice(NoticeKind.ACCOUNT, "heygen is not asked any more", None, 0.0)])
    assert person.toasts[1:] == person.desktop[1:] == ["heygen is not asked any more"]
    assert person.bells == 2


def test_downloads_ring_no_bell_but_ended_jobs_of_the_same_digest_do(person: Person):
    person.ended(40, NoticeKind.DOWNLOADED)
    assert person.toasts == ["40 jobs changed: 40 downloaded. J: recent events"]
    assert (person.bells, person.desktop) == (0, [])
    person.wait(DIGEST_WINDOW)
    person.notices.deliver(
        [Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.DOWNLOADED, NoticeKind.DONE) * 4]
    )
    assert (person.bells, person.desktop) == (1, ["8 jobs changed: 4 downloaded, 4 done. J: recent events"])


def test_a_hook_that_fails_rings_no_bell(person: Person):
    person.notices.deliver([Notice(NoticeKind.HOOK, "Hook 1 (x) exited with status 1", None, 0.0)])
    assert person.toasts == ["Hook 1 (x) exited with status 1"]
    assert (person.bells, person.desktop) == (0, [])


def test_bell_and_desktop_notifications_can_be_disabled():
    person = Person(AlertSettings(bell=False, desktop=False))
    person.ended(1)
    person.ended(40)
    person.wait(DIGEST_WINDOW)
    assert len(person.toasts) == 2
    assert (person.bells, person.desktop) == (0, [])


def test_the_daily_notice_of_expiring_links_is_not_in_a_digest(person: Person):
    word = Notice(NoticeKind.EXPIRING, "12 links die in the next 1d12h", None, 0.0)
    jobs = [Notice(NoticeKind.DONE, "x", Ref("a", str(number)), 0.0) for number in range(9)]
    person.notices.deliver([*jobs, word])
    assert sorted(person.toasts) == [word.text, "9 jobs changed: 9 done. J: recent events"]

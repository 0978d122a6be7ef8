"""Toasts, bell and desktop notifications: what calls a person, and how often."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.servers import serve_app
from tests.support.terminal import Terminal
from tui.dashboard.widgets.notifications import (
    DIGEST_WINDOW,
    MAX_DESKTOP_LENGTH,
    MAX_SINGLE_NOTICES,
    Notifier,
    desktop_sequence,
)
from tui.domain.models import Ref
from tui.engine.api import Notice, NoticeKind
from tui.simulator.app import Simulator
from tui.storage.config.settings import AlertSettings

TERMINAL = {"TERM": "xterm-256color"}


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


def test_few_are_told_one_by_one_with_a_bell_for_all(person: Person):
    person.ended(2)
    assert person.toasts == person.desktop == ["job 0: done", "job 1: done"]
    assert person.bells == 1


def test_many_at_once_are_one(person: Person):
    person.ended(40)
    assert person.toasts == person.desktop == ["40 jobs: 40 done. J shows what happened"]
    assert person.bells == 1


def test_many_one_after_the_other_are_few_and_a_digest(person: Person):
    for _ in range(20):
        person.ended(1)
        person.wait(0.1)
    assert len(person.toasts) == MAX_SINGLE_NOTICES
    person.wait(DIGEST_WINDOW)
    assert person.toasts[MAX_SINGLE_NOTICES:] == ["17 jobs: 17 done. J shows what happened"]
    assert person.bells == MAX_SINGLE_NOTICES + 1


def test_a_storm_that_lasts_is_a_digest_a_window(person: Person):
    for _ in range(600):
        person.ended(1)
        person.wait(0.1)
    assert len(person.toasts) <= MAX_SINGLE_NOTICES + 60 / DIGEST_WINDOW
    person.wait(DIGEST_WINDOW)
    counted = sum(int(text.split()[0]) for text in person.toasts if "jobs:" in text)
    assert counted == 600 - MAX_SINGLE_NOTICES, "none is lost"


def test_after_a_quiet_while_they_are_told_one_by_one_again(person: Person):
    person.ended(40)
    person.wait(DIGEST_WINDOW)
    person.ended(1)
    assert person.toasts[1:] == ["job 0: done"]


def test_few_that_were_held_are_told_by_name(person: Person):
    person.ended(3)
    person.ended(2, NoticeKind.FAILED)
    assert len(person.toasts) == 3
    person.wait(DIGEST_WINDOW)
    assert person.toasts[3:] == ["job 0: failed", "job 1: failed"]


def test_a_digest_says_of_what(person: Person):
    person.notices.deliver(
        [
            *(Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.DONE, NoticeKind.DONE, NoticeKind.FAILED)),
            *(Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.EXPIRING, NoticeKind.STALLED)),
        ]
    )
    assert person.toasts == [
        "5 jobs: 2 done, 1 ended badly, 1 with a link about to die, 1 stalled. J shows what happened"
    ]


def test_what_a_person_must_act_on_is_in_no_digest(person: Person):
    person.ended(40)
    person.notices.deliver([Notice(NoticeKind.ACCOUNT, "heygen is not asked any more", None, 0.0)])
    assert person.toasts[1:] == person.desktop[1:] == ["heygen is not asked any more"]
    assert person.bells == 2


def test_what_was_saved_rings_no_bell_but_what_ended_with_it_does(person: Person):
    person.ended(40, NoticeKind.DOWNLOADED)
    assert person.toasts == ["40 jobs: 40 saved. J shows what happened"]
    assert (person.bells, person.desktop) == (0, [])
    person.wait(DIGEST_WINDOW)
    person.notices.deliver(
        [Notice(kind, "x", Ref("a", "1"), 0.0) for kind in (NoticeKind.DOWNLOADED, NoticeKind.DONE) * 4]
    )
    assert (person.bells, person.desktop) == (1, ["8 jobs: 4 saved, 4 done. J shows what happened"])


def test_a_hook_that_fails_rings_no_bell(person: Person):
    person.notices.deliver([Notice(NoticeKind.HOOK, "hook 1 (x) ended with 1", None, 0.0)])
    assert person.toasts == ["hook 1 (x) ended with 1"]
    assert (person.bells, person.desktop) == (0, [])


def test_bell_and_desktop_can_be_turned_off():
    person = Person(AlertSettings(bell=False, desktop=False))
    person.ended(1)
    person.ended(40)
    person.wait(DIGEST_WINDOW)
    assert len(person.toasts) == 2
    assert (person.bells, person.desktop) == (0, [])


# The sequences.


@given(st.text())
def test_no_text_breaks_out_of_the_sequence(text: str):
    for extra in ({}, {"VTE_VERSION": "7600"}, {"TMUX": "/tmp/t"}, {"STY": "1.x"}):
        sequence = desktop_sequence(text, TERMINAL | extra)
        inner = sequence.removeprefix("\x1bPtmux;\x1b").removeprefix("\x1bP").removesuffix("\x1b\\")
        inner = inner.removeprefix("\x1b").removesuffix("\x07")
        assert inner.isprintable() or not any(char < " " or "\x7f" <= char <= "\x9f" for char in inner)
        assert len(sequence) < MAX_DESKTOP_LENGTH + 40


@pytest.mark.parametrize(
    ("environ", "sequence"),
    [
        ({"TERM": "xterm-256color"}, "\x1b]9;babeltop: 4;1;50\x07"),
        ({"TERM": "rxvt-unicode"}, "\x1b]777;notify;babeltop;4,1,50\x07"),
        ({"TERM": "foot"}, "\x1b]777;notify;babeltop;4,1,50\x07"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "\x1b]777;notify;babeltop;4,1,50\x07"),
        ({"TERM": "tmux-256color", "TMUX": "x"}, "\x1bPtmux;\x1b\x1b]9;babeltop: 4;1;50\x07\x1b\\"),
        ({"TERM": "screen", "STY": "x"}, "\x1bP\x1b]9;babeltop: 4;1;50\x07\x1b\\"),
        ({"TERM": "linux"}, ""),
        ({"TERM": "dumb"}, ""),
        ({}, ""),
    ],
)
def test_each_terminal_gets_what_it_understands_and_never_another_command(environ: dict[str, str], sequence: str):
    assert desktop_sequence("4;1;50", environ) == sequence


# In a real terminal.

PROGRAM = pytest.mark.timeout(600)  # it is started anew, and each wait for it may take long on a slow machine
BLOCK = '[[job]]\naccount = "camb"\nid = "{}-fine"\nlabel = "{}"\n{}\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The operator's settings, with an account on a simulator."""
    config = tmp_path / "config"
    config.mkdir()
    for name in ("TMUX", "STY", "VTE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", str(config))
    monkeypatch.setenv("BABELTOP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CAMB_API_KEY", "k-31415926")
    with serve_app(Simulator(speed=500)) as service:
        file = config / "config.toml"
        file.write_text(f'[accounts.camb]\nbase_url = "{service}"\nrate_per_minute = 6000\n')
        yield file


@PROGRAM
def test_a_job_that_ends_rings_and_is_shown_on_the_desktop_and_a_muted_one_is_not(config: Path):
    watchlist = BLOCK.format("loud", "Loud one", "") + BLOCK.format("mute", "Muted one", "muted = true")
    (config.parent / "watchlist.toml").write_text(watchlist)
    with Terminal([sys.executable, "-m", "tui"]) as terminal:
        assert terminal.wait_for(lambda text: text.count("✓ done") >= 2 and b"Loud one: done" in terminal.raw)
        terminal.read_until_quiet()
        terminal.type("\x11")
        assert terminal.wait_for_exit() == 0
        assert b"\x1b]9;babeltop: Loud one: done\x07" in bytes(terminal.raw)
        assert b"babeltop: Muted one" not in bytes(terminal.raw)
        outside = re.sub(rb"\x1b\][^\x07]*\x07", b"", bytes(terminal.raw))
        assert outside.count(b"\x07") == 1, "one bell, beside what ends a sequence"


@PROGRAM
def test_hooks_are_called_behind_the_dashboard_and_one_that_is_missing_is_said_on_it(config: Path, tmp_path: Path):
    kept = tmp_path / "kept"
    keeps = f"import sys; open({str(kept)!r}, 'a').write(sys.stdin.read())"
    hangs = "import time; time.sleep(60)"
    hooks = [("/nowhere/hook",), (sys.executable, "-c", hangs), (sys.executable, "-c", keeps)]
    (config.parent / "watchlist.toml").write_text(BLOCK.format("hooked", "Hooked", ""))
    config.write_text(config.read_text() + "".join(f"[[hook]]\nrun = {list(run)}\n" for run in hooks))
    with Terminal([sys.executable, "-m", "tui"]) as terminal:
        assert terminal.wait_for(lambda text: "hook 1 (/nowhere/hook) cannot be run" in text), terminal.text
        assert terminal.wait_for(lambda _: kept.exists() and kept.read_text().endswith("}"))
        terminal.type("\x11")
        assert terminal.wait_for_exit() == 0, "whatever hangs"
    assert '"event":"done"' in kept.read_text()
    assert '"label":"Hooked"' in kept.read_text()


def test_the_days_word_of_dying_links_is_no_job_of_a_digest(person: Person):
    word = Notice(NoticeKind.EXPIRING, "12 links die in the next 1d12h", None, 0.0)
    jobs = [Notice(NoticeKind.DONE, "x", Ref("a", str(number)), 0.0) for number in range(9)]
    person.notices.deliver([*jobs, word])
    assert sorted(person.toasts) == [word.text, "9 jobs: 9 done. J shows what happened"]

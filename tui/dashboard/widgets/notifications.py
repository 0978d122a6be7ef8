"""How what happens reaches a person: a toast, the terminal's bell, a desktop notification; for many jobs one digest.

Each open console does this for itself. What is said is text: it was cleaned where it was read, and is again here before
it becomes part of a control sequence.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from tui.engine.api import Notice, NoticeKind
from tui.presentation.formatting import clean
from tui.storage.config.settings import AlertSettings

MAX_SINGLE_NOTICES = 3
"""Notices of jobs that are shown one by one …"""
DIGEST_WINDOW = 5.0
"""… within so many seconds; what is more becomes one digest."""
MAX_DESKTOP_LENGTH = 200
"""Characters of a desktop notification: a terminal drops what is longer, and screen what is longer than 768 bytes."""

Severity = Literal["information", "warning", "error"]

DIGEST_TERMS = {
    NoticeKind.DONE: "done",
    NoticeKind.FAILED: "ended badly",
    NoticeKind.EXPIRING: "with a link about to die",
    NoticeKind.STALLED: "stalled",
    NoticeKind.DOWNLOADED: "saved",
    NoticeKind.DOWNLOAD_FAILED: "not downloaded",
}
"""The kinds that are about jobs, which go into a digest, as it names them."""
SILENT_KINDS = frozenset({NoticeKind.JOURNAL, NoticeKind.HOOK, NoticeKind.DOWNLOADED})
"""Kinds that call nobody from another room."""
GOOD_NEWS = frozenset({NoticeKind.DONE, NoticeKind.DOWNLOADED})
"""Kinds that are good news."""


class Notifier:
    """One console's. It is given notices and the ways out."""

    def __init__(
        self,
        alerts: AlertSettings,
        *,
        toast: Callable[[str, Severity], None],
        bell: Callable[[], None],
        desktop: Callable[[str], None],
        call_later: Callable[[float, Callable[[], None]], object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`later` calls back after so many seconds; `now` is a monotonic clock."""
        self._alerts = alerts
        self._toast = toast
        self._bell = bell
        self._desktop = desktop
        self._call_later = call_later
        self._now = now
        self._window_start = -DIGEST_WINDOW
        self._shown_count = 0
        """Of jobs, since the window began."""
        self._pending: list[Notice] = []

    def deliver(self, notices: Iterable[Notice]) -> None:
        """Shows each, or keeps it for the digest."""
        jobs, others = list[Notice](), list[Notice]()
        for notice in notices:
            (jobs if notice.kind in DIGEST_TERMS and notice.ref is not None else others).append(notice)
        self._send(others)
        if not jobs:
            return
        if self._pending:  # the digest is coming
            self._pending += jobs
            return
        now = self._now()
        if now - self._window_start >= DIGEST_WINDOW:
            self._window_start, self._shown_count = now, 0
        if self._shown_count + len(jobs) <= MAX_SINGLE_NOTICES:
            self._shown_count += len(jobs)
            self._send(jobs)
            return
        self._pending = jobs
        if not self._shown_count:  # so many at once: nothing is gained by waiting
            self._send_digest()
        else:
            self._call_later(self._window_start + DIGEST_WINDOW - now, self._send_digest)

    def _send_digest(self) -> None:
        """Says what was held. What follows soon is the next digest's."""
        held, self._pending = self._pending, []
        self._window_start, self._shown_count = self._now(), MAX_SINGLE_NOTICES
        if len(held) <= MAX_SINGLE_NOTICES:
            self._send(held)
            return
        counts = Counter(DIGEST_TERMS[notice.kind] for notice in held)
        said = ", ".join(f"{count} {word}" for word, count in counts.items())
        worst = min((notice.kind for notice in held), key=lambda kind: (kind in SILENT_KINDS, kind in GOOD_NEWS))
        self._send([Notice(worst, f"{len(held)} jobs: {said}. J shows what happened", None, held[-1].at)])

    def _send(self, notices: list[Notice]) -> None:
        """A toast and a desktop notification for each, one bell for all."""
        loud = [notice for notice in notices if notice.kind not in SILENT_KINDS]
        for notice in notices:
            self._toast(notice.text, "information" if notice.kind in GOOD_NEWS else "warning")
        if loud and self._alerts.bell:
            self._bell()
        if self._alerts.desktop:
            for notice in loud:
                self._desktop(notice.text)


def desktop_sequence(text: str, environ: Mapping[str, str]) -> str:
    r"""What makes a terminal show a desktop notification; "" for one that would not swallow it unseen.

    OSC 777 for the terminals that know only that (rxvt, VTE, foot), else OSC 9; never both: some know both, and would
    show it twice. Inside tmux and screen it is wrapped to be passed on: tmux does that only where `allow-passthrough`
    is on, and drops it else.
    """
    terminal = environ.get("TERM", "")
    if terminal in {"", "dumb", "linux"}:
        return ""
    said = clean(text, MAX_DESKTOP_LENGTH)
    if terminal.startswith(("rxvt", "foot")) or "VTE_VERSION" in environ:
        sequence = f"\x1b]777;notify;babeltop;{said.replace(';', ',')}\x07"
    else:
        sequence = f"\x1b]9;babeltop: {said}\x07"  # a number after the `9;` would be another command
    if "TMUX" in environ:
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return f"\x1bP{sequence}\x1b\\" if "STY" in environ else sequence

"""Notifications of one console: toast, bell and desktop notification per notice; many become one digest."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

from tui.engine.api import Notice, NoticeKind
from tui.storage.config.settings import AlertSettings

MAX_SINGLE_NOTICES = 3
"""Notices of jobs shown one by one within the window; more become one digest."""
DIGEST_WINDOW = 5.0
"""Seconds."""

Severity = Literal["information", "warning", "error"]

DIGEST_TERMS = {
    NoticeKind.DONE: "done",
    NoticeKind.FAILED: "failed",
    NoticeKind.EXPIRING: "expiring",
    NoticeKind.STALLED: "stalled",
    NoticeKind.DOWNLOADED: "downloaded",
    NoticeKind.DOWNLOAD_FAILED: "download failed",
}
"""Kinds of notices about jobs, and the digest's term for each."""
SILENT_KINDS = frozenset({NoticeKind.JOURNAL, NoticeKind.HOOK, NoticeKind.DOWNLOADED})
"""Kinds without bell and desktop notification."""
GOOD_NEWS = frozenset({NoticeKind.DONE, NoticeKind.DOWNLOADED})
"""Kinds shown as information; the others are warnings."""


class Notifier:
    """Notifier of one console."""

    def __init__(
        self,
        alerts: AlertSettings,
        *,
        toast: Callable[[str, Severity], None],
        bell: Callable[[], None],
        desktop: Callable[[str], None],
        call_later: Callable[[float, Callable[[], None]], object],
        now: Callable[[], float] = time.monotonic,
        wall_time: Callable[[], float] = time.time,
    ) -> None:
        """`call_later` calls back after so many seconds; `now` is a monotonic clock, `wall_time` that of instants."""
        self._alerts = alerts
        self._toast = toast
        self._bell = bell
        self._desktop = desktop
        self._call_later = call_later
        self._now = now
        self._wall_time = wall_time
        self._window_start = -DIGEST_WINDOW
        self._shown_count = 0
        """Notices of jobs since the window started."""
        self._pending: list[Notice] = []

    def deliver(self, notices: Iterable[Notice]) -> None:
        """Show each notice, or keep it for the digest."""
        jobs, others = list[Notice](), list[Notice]()
        for notice in notices:
            (jobs if notice.kind in DIGEST_TERMS and notice.ref is not None else others).append(notice)
        self._send(others)
        if not jobs:
            return
        if self._pending:  # the digest is scheduled
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
        if not self._shown_count:  # all at once: waiting gains nothing
            self._send_digest()
        else:
            self._call_later(self._window_start + DIGEST_WINDOW - now, self._send_digest)

    def _send_digest(self) -> None:
        """Send the digest. Notices that follow soon belong to the next one."""
        pending, self._pending = self._pending, []
        self._window_start, self._shown_count = self._now(), MAX_SINGLE_NOTICES
        if len(pending) <= MAX_SINGLE_NOTICES:
            self._send(pending)
            return
        counts = Counter(DIGEST_TERMS[notice.kind] for notice in pending)
        summary = ", ".join(f"{count} {term}" for term, count in counts.items())
        worst = min((notice.kind for notice in pending), key=lambda kind: (kind in SILENT_KINDS, kind in GOOD_NEWS))
        text = f"{len(pending)} jobs changed: {summary}. J: recent events"
        self._send([Notice(worst, text, None, pending[-1].at)])

    def _send(self, notices: list[Notice]) -> None:
        """Show a toast and a desktop notification per notice, and ring the bell once; only toasts in a quiet time."""
        loud = [notice for notice in notices if notice.kind not in SILENT_KINDS]
        for notice in notices:
            self._toast(notice.text, "information" if notice.kind in GOOD_NEWS else "warning")
        if self._alerts.quiet is not None and self._alerts.quiet.period(self._wall_time()) is not None:
            return
        if loud and self._alerts.bell:
            self._bell()
        if self._alerts.desktop:
            for notice in loud:
                self._desktop(notice.text)

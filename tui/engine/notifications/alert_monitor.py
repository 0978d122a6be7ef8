"""What is worth a word outside the board: phases entered, links about to die, jobs that stall, accounts that are lost.

It hears all that a session tells and passes it on, with the notices of what time alone brings. For the operator's hooks
each occasion is told once by all processes on the state folder together, whichever of them notices it first; a
process that dies between the two tells it no more.

Links that are about to die are told of together, once a day: the first of a day (UTC) takes the others of that day
with it. What comes to be known later in the day waits for the next one, unless half its warning time would be over.
"""

import hashlib
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, cast

from tui.domain import time_alerts
from tui.domain.job_state import Flag, JobState, PhaseChange
from tui.domain.links import renewal
from tui.domain.models import FaultKind, Ref
from tui.domain.time_alerts import TimedAlert
from tui.engine.api import AccountState, DownloadProgress, Health, Notice, NoticeKind
from tui.engine.polling.job_store import EngineListener
from tui.presentation import queries
from tui.storage.config.settings import HookEvent
from tui.storage.journal.journal import JournalError
from tui.storage.workspace import Workspace

DAY = 86400.0
"""Seconds after which an account that is refused at a new start is told again, and a dead link is no news.

And those for which one word is said of all links that are about to die.
"""
AT_ONCE = 1000
"""Occasions told in one turn, which is one transaction of some milliseconds; the rest waits for the next tick."""
BACKLOG = 10_000
"""Occasions kept while the journal cannot be written; the oldest go first."""
ONCE = math.inf
TOGETHER = frozenset({"expiring", "expired"})
"""What one hook is told of many jobs as one thing."""
REFUSING = frozenset({Health.REFUSED, Health.NO_KEY})

log = logging.getLogger(__name__)


class Occasion(NamedTuple):
    """Something to be told once, of a job or of an account."""

    event: HookEvent
    key: str
    """What tells it from every other, the same in every process."""
    text: str
    """It, in a line, for a person."""
    at: float
    """Instant at which it came about."""
    state: JobState | None = None
    """The job's; None: it is about an account."""
    change: PhaseChange | None = None
    """Where the job entered a phase."""
    account: AccountState | None = None
    again_after: float = ONCE
    """Seconds after which the same is told again."""
    others: tuple[JobState, ...] = ()
    """More jobs of which it tells."""


class Alerts:
    """A session's listener before its listener."""

    def __init__(
        self,
        listener: EngineListener,
        library: Workspace,
        now: Callable[[], float],
        call: Callable[[Occasion], None] | None,
    ) -> None:
        """`call` tells the operator's hooks; None: there are none, or they are forbidden."""
        self._listener = listener
        self._library = library
        self._now = now
        self._call = call
        self._wanted = {event for hook in library.settings.hooks for event in hook.on} if call else set[HookEvent]()
        self._outlook = library.evaluation_context(now())
        self._states: dict[Ref, JobState] = {}
        """Every job that was seen, as it is."""
        self._due: dict[Ref, float] = {}
        """When the next one goes off."""
        self._gone_off: dict[Ref, frozenset[tuple[Flag, str]]] = {}
        """Its alarms that need no word any more."""
        self._next = math.inf
        self._dying: dict[Ref, TimedAlert] = {}
        """Links that are to be told of."""
        self._told_until = 0.0
        """The end of the day of which was told what dies in it."""
        self._accounts: dict[str, AccountState] = {}
        self._retired: set[str] = set()
        self._pending: list[Occasion] = []
        self._over: set[str] = set()
        """Keys of what is over, so that it may be told again."""

    # What a listener hears.

    def state(self, state: JobState) -> None:
        """A job's state is new: perhaps an alarm has gone off."""
        self._listener.state(state)
        before = self._states.get(state.job.ref)
        self._states[state.job.ref] = state
        if before is None or not _alike(before, state):
            self._look(state, self._now())
        if state.fault is not None and state.fault.kind is FaultKind.RETIRED and not state.job.muted:
            account = self._accounts.get(state.job.account)
            if account is not None:
                self._retire(account, state.fault.message)

    def listed(self, order: tuple[Ref, ...]) -> None:
        """Of jobs that are off the watchlist there is nothing more to tell."""
        self._listener.listed(order)
        for ref in self._states.keys() - set(order):
            for kept in (self._states, self._gone_off, self._due, self._dying):
                kept.pop(ref, None)

    def account(self, state: AccountState) -> None:
        """An account's state is new: perhaps it asks nothing any more, or has moved."""
        self._listener.account(state)
        before = self._accounts.get(state.name)
        self._accounts[state.name] = state
        key = f"refused {state.name}"
        was = before is not None and before.health in REFUSING
        if state.health in REFUSING and not was:
            said = f"{state.name} is not asked any more: {state.message}"
            self._put(Occasion("refused", key, said, self._now(), account=state, again_after=DAY))
        elif state.health is Health.OK and (before is None or was or before.health is Health.UNTRIED):
            self._over.add(key)
        if before is not None and before.provider != state.provider:
            self._retire(before, f"{before.title} is over: {state.name} has moved to {state.title}")

    def problems(self, problems: tuple[str, ...]) -> None:
        """What stands in the way is for screens."""
        self._listener.problems(problems)

    def role(self, role: str) -> None:
        """So is who polls."""
        self._listener.role(role)

    def download(self, progress: DownloadProgress) -> None:
        """And how far a download is."""
        self._listener.download(progress)

    def notice(self, notice: Notice) -> None:
        """Somebody else's word."""
        self._listener.notice(notice)

    # What comes about.

    def changed(self, state: JobState, change: PhaseChange) -> None:
        """The journal holds this change of a phase, whoever recorded it."""
        if state.job.muted or change.after not in self._wanted:
            return
        change = self._as_recorded(change)
        said = f"{queries.display_name(state)}: {change.after.replace('_', ' ')}"
        key = f"{change.after} {change.ref} {change.seen!r}"
        event = cast("HookEvent", change.after.value)
        self._put(Occasion(event, key, said, change.seen, state=state, change=change))

    def _as_recorded(self, change: PhaseChange) -> PhaseChange:
        """The change as the journal holds it. Two may have seen it, each at its own instant; one recorded it."""
        try:
            held = self._library.journal.phase_changes([change.ref])[change.ref]
        except JournalError as error:
            log.warning("%s", error)
            return change
        return next((each for each in reversed(held) if each.after is change.after), change)

    def pass_time(self) -> None:
        """It is later: alarms go off, and hooks are told."""
        now = self._now()
        if now >= self._next:
            for ref in [ref for ref, at in self._due.items() if at <= now]:
                self._look(self._states[ref], now)
            self._next = min(self._due.values(), default=math.inf)
        if self._dying:
            self._tell_dying(now)
        self.tell()

    def _tell_dying(self, now: float) -> None:
        """One word for all links whose turn has come, and for those whose turn comes today."""
        self._told_until = (now // DAY + 1) * DAY
        for ref in [ref for ref, at in self._due.items() if at < self._told_until]:
            self._look(self._states[ref], now, ahead=self._told_until)
        dying = [(self._states[ref], alarm) for ref, alarm in self._dying.items()]
        dying = [(state, alarm) for state, alarm in dying if self._still(state, alarm)]
        self._dying.clear()
        if not dying:
            return
        states = [state for state, _ in dying]
        of = states[0].job.ref if len(states) == 1 else None
        self._listener.notice(Notice(NoticeKind.EXPIRING, time_alerts.describe(Flag.EXPIRING, states, now), of, now))
        for state, alarm in dying:
            self._put(self._occasion(state, alarm, now))

    def _still(self, state: JobState, alarm: TimedAlert) -> bool:
        """A link may have been renewed since its turn came."""
        return any(
            (each.flag, each.subject) == (alarm.flag, alarm.subject)
            for each in time_alerts.timed_alerts(state, self._outlook)
        )

    def tell(self) -> None:
        """Tells the hooks what no other process has told; as much as a turn of the loop has time for."""
        told = self._library.journal.notifications
        batch = self._pending[:AT_ONCE]
        if self._call is None or not (batch or self._over):
            return
        try:
            if self._over:
                told.forget(self._over)
                self._over.clear()
            first = set(told.claim({each.key: each.again_after for each in batch}, self._now()) if batch else ())
        except JournalError as error:
            log.warning("%s", error)
            return
        del self._pending[:AT_ONCE]
        untold = {each.key: each for each in batch if each.key in first}  # the same may have come about twice
        for occasion in _gathered(untold.values(), self._now()):
            self._call(occasion)

    def _look(self, state: JobState, now: float, ahead: float = 0.0) -> None:
        """Says which alarms have gone off since the job was last looked at, and when the next one does.

        Those that can be told with others go off before `ahead`.
        """
        ref, found = state.job.ref, time_alerts.timed_alerts(state, self._outlook)
        handled = self._gone_off.get(ref)
        off = [alarm for alarm in found if self._turn(alarm) <= now or (alarm.max_delay and alarm.at < ahead)]
        dead = any(alarm.flag is Flag.EXPIRED for alarm in off)
        for alarm in off:
            too_late = dead and alarm.flag is Flag.EXPIRING
            if not too_late and (handled is None or (alarm.flag, alarm.subject) not in handled):
                self._went_off(state, alarm, now, before=handled is None)
        known = {(alarm.flag, alarm.subject) for alarm in found}
        quiet = known & (handled or frozenset()) | {(alarm.flag, alarm.subject) for alarm in off}
        self._gone_off[ref] = frozenset(quiet)
        due = min((self._turn(alarm) for alarm in found if (alarm.flag, alarm.subject) not in quiet), default=math.inf)
        if due < math.inf:
            self._due[ref] = due
            self._next = min(self._next, due)
        else:
            self._due.pop(ref, None)

    def _turn(self, alarm: TimedAlert) -> float:
        """Instant at which it goes off: where the day was told of already, with the next one if it can wait."""
        return min(max(alarm.at, self._told_until), alarm.at + alarm.max_delay)

    def _went_off(self, state: JobState, alarm: TimedAlert, now: float, *, before: bool) -> None:
        """`before`: the session had not begun yet. That is no news on a screen, but perhaps for a hook."""
        if state.job.muted:
            return
        if alarm.flag is Flag.EXPIRING and not before:
            self._dying[state.job.ref] = alarm
            return
        occasion = self._occasion(state, alarm, now)
        if alarm.flag is Flag.STALLED and not before:
            self._listener.notice(Notice(NoticeKind.STALLED, occasion.text, state.job.ref, now))
        if before and alarm.flag is Flag.EXPIRED and now - alarm.at > DAY:
            return
        self._put(occasion)

    def _occasion(self, state: JobState, alarm: TimedAlert, now: float) -> Occasion:
        event = cast("HookEvent", alarm.flag.value)
        of = hashlib.sha256(alarm.subject.encode()).hexdigest()[:16]  # a link is signed, and stands in no other place
        said, at = time_alerts.describe(alarm.flag, (state,), now), min(alarm.at, now)
        return Occasion(event, f"{event} {state.job.ref} {of}", said, at, state=state)

    def _retire(self, account: AccountState, said: str) -> None:
        key = f"retired {account.name} {account.provider}"
        if key in self._retired:
            return
        self._retired.add(key)
        self._put(Occasion("retired", key, f"{account.name}: {said}", self._now(), account=account))

    def _put(self, occasion: Occasion) -> None:
        if occasion.event in self._wanted:
            self._pending.append(occasion)
            del self._pending[:-BACKLOG]


def _gathered(occasions: Iterable[Occasion], now: float) -> Iterator[Occasion]:
    """Each, but those of dying and of dead links as one."""
    together = defaultdict[Flag, list[Occasion]](list)
    for occasion in occasions:
        if occasion.event in TOGETHER:
            together[Flag(occasion.event)].append(occasion)
        else:
            yield occasion
    for flag, many in together.items():
        states = [each.state for each in many if each.state is not None]
        yield many[0]._replace(text=time_alerts.describe(flag, states, now), others=tuple(states[1:]))


def _alike(before: JobState, after: JobState) -> bool:
    """They have the same alarms: most asks bring nothing else."""
    if renewal.is_failing(before) is not renewal.is_failing(after):
        return False
    return (before.phase, before.first_polled_at, before.links, before.duration_fit, before.job) == (
        after.phase,
        after.first_polled_at,
        after.links,
        after.duration_fit,
        after.job,
    )

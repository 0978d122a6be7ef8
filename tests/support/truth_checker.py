"""Holds what a console's screen says against what is so at the services, in virtual time.

What is so it knows by itself: from the stories that are told, from the replies that left and from the links that are
served. What the screen says it takes from the front end's own board, fed through the engine's own outbox.
"""

import asyncio
import heapq
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from tests.support.provider_services import REPLY, Fact, Services
from tests.support.reference_model import arranged
from tui.dashboard.board_model import BoardModel
from tui.dashboard.screen import ENGINE_TIMEOUT, MIN_TICK
from tui.dashboard.widgets.badges import account_badge
from tui.domain import job_state as reducer
from tui.domain.job_state import JobState
from tui.domain.models import ACTIVE, Phase, Ref
from tui.engine.api import AccountState, Health
from tui.engine.thread import Outbox
from tui.presentation import columns, formatting
from tui.presentation.queries import EvaluationContext

PAINT = 1.3
"""Seconds from what happens to where a screen shows it: a wake-up every 0.1 s, and a tick a second."""
FOLLOWS = 4.0
"""Seconds more until a console that follows has read it in the journal: the writer's batch, and its own tick."""
WAKES = ENGINE_TIMEOUT + PAINT
"""Seconds after a suspend until a screen looks at the time: its timers did not run meanwhile."""
AHEAD = 20.0
"""Seconds by which a bulk ask takes a job before its time."""
MISSED, GRACE = 3, 30.0
"""An old report is called old after so many of its intervals, and so many seconds more (DESIGN: flag stale)."""
COLUMNS = columns.visible_columns(200)


def _brief(state: JobState, now: float) -> str:
    """What is known of the job, for who has to find out why."""
    said = {
        "checked": state.checked_at and round(state.checked_at - now, 1),
        "next": state.next_poll_at and round(state.next_poll_at - now, 1),
        "fresh": state.stale_after and round(state.stale_after - now, 1),
        "fault": state.fault and state.fault.kind,
        "archived": state.job.archived,
        "why": state.next_poll_reason,
    }
    return ", ".join(f"{name} {value}" for name, value in said.items())


def _hundredths(one: str, other: str) -> float:
    """By how much two estimates of progress differ; infinite where one of them is none."""
    shares = [found and int(found[1]) for found in (re.match(r" *~(\d+)%", said) for said in (one, other))]
    return math.inf if None in shares else abs(shares[0] - shares[1])


class Painted(NamedTuple):
    """What stands in a row of the screen."""

    state: JobState
    row: dict[str, str]
    until: float
    """Instant until which the screen does not look at it again."""


class Record:
    """What all screens together claimed, and which of that was a lie."""

    def __init__(self) -> None:
        self.lies: list[str] = []
        self.judged = 0
        self.kinds: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.overdue = (0.0, "")
        """The longest that a job which was due was not asked, while nothing stood in the way: seconds, and which."""
        self.late = 0.0
        """Seconds by which an estimated expiry was too late, at most: its link was given with a reply that was lost."""
        self.planned: dict[tuple[Ref, float], float] = {}
        """By job and instant of a report, the seconds until the next ask that was planned with it."""
        self.woken_at = 0.0
        self.hung_at = 0.0
        """When a poller that hung was seen to hang last."""

    def lie(self, console: str, ref: object, at: float, kind: str, what: str) -> None:
        self.kinds[kind] += 1
        if self.kinds[kind] <= 20:
            self.lies.append(f"{kind}: {console} at {at:.1f}: {ref}: {what}")


class Witness:
    """One console's screen: paints as the dashboard does, and judges what it painted."""

    def __init__(self, name: str, services: Services, record: Record, wall: Callable[[], float]) -> None:
        self.name = name
        self.services = services
        self.record = record
        self.wall = wall
        self.stopped = False
        self.began = asyncio.get_running_loop().time()
        self.board = BoardModel(EvaluationContext(now=wall()), wall)
        self.outbox = Outbox(self.take)
        self.painted: dict[Ref, Painted] = {}
        self.role = ""
        self.wished: dict[Ref, float] = {}
        """When a person last wished for an ask of a job here, by the loop's time, which no sleep moves."""
        self._waits: dict[str, float] = {}
        """Until when each account was last said to wait, on this screen."""
        self._due: list[tuple[float, Ref]] = []
        self._face: object = None
        self._timer: asyncio.TimerHandle | None = None

    # As the dashboard does it.

    def take(self) -> None:
        if self.stopped:
            return
        update = self.outbox.take()
        self.role = self.role if update.role is None else update.role
        accounts = update.accounts or {}
        self._waits |= {name: state.until for name, state in accounts.items() if state.until is not None}
        self.board.apply_update(update)
        for ref, state in update.states.items():
            self._note(ref, state)
        self._tick(update.states)

    def stop(self) -> None:
        """The screen is gone, or hangs: it claims nothing any more."""
        self.stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self, fresh: object = ()) -> None:
        now, face = self.wall(), self.board.render_options
        if face[1:] != self._face:
            self._face = face[1:]
            fresh = list(self.board.states)
        stale = {ref for ref in fresh if ref in self.board.states}
        while self._due and self._due[0][0] <= now:
            until, ref = heapq.heappop(self._due)
            if ref in self.painted and self.painted[ref].until == until:
                stale.add(ref)
        for ref in stale:
            self._paint(ref, face)
        self.board.visible_refs()
        soonest = self._due[0][0] - now if self._due else ENGINE_TIMEOUT
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(MIN_TICK, min(ENGINE_TIMEOUT, soonest)), self._tick)

    def _paint(self, ref: Ref, face: columns.RenderOptions) -> None:
        state = self.board.states[ref]
        until = face.context.now + columns.unchanged_for(state, face)
        self.painted[ref] = Painted(state, self._row(state, face), until)
        heapq.heappush(self._due, (until, ref))
        self.judge(ref)

    def _row(self, state: JobState, face: columns.RenderOptions) -> dict[str, str]:
        shown = columns.row_cells(state, COLUMNS, face)
        return {column.id: cell.text for column, cell in zip(COLUMNS, shown, strict=True)}

    def _note(self, ref: Ref, state: JobState) -> None:
        """What was planned with a report: by it one knows when it is old."""
        if state.checked_at is None or state.next_poll_at is None or state.fault is not None:
            return
        key = (ref, state.checked_at)  # a person's wish may come before the first of these
        self.record.planned[key] = max(self.record.planned.get(key, 0.0), state.next_poll_at - state.checked_at)

    # What is judged.

    @property
    def slow(self) -> float:
        """Seconds until something that a service told anybody stands on this screen."""
        return REPLY + PAINT + FOLLOWS

    def _lie(self, ref: object, kind: str, what: str) -> None:
        self.record.lie(self.name, ref, self.wall(), kind, what)

    def judge(self, ref: Ref) -> None:
        """Holds one row against what is so now."""
        now = self.wall()
        painted, fact = self.painted.get(ref), self.services.facts.get(ref)
        if self.stopped or now < self.record.woken_at + WAKES or painted is None or fact is None:
            return
        if ref not in self.board.states:
            return
        self.record.judged += 1
        self._judge_phase(ref, painted, fact, now)
        self._judge_link(ref, painted, now)
        self._judge_progress(ref, painted, fact)
        self._judge_age(ref, painted, fact, now)

    def _judge_phase(self, ref: Ref, painted: Painted, fact: Fact, now: float) -> None:
        glyph, _, word = painted.row["status"].partition(" ")
        doubt = glyph == "?" and word != "missing"
        if doubt:
            self.record.counts["rows that said they were old or in doubt"] += 1
            self._judge_old(ref, painted, now)
            return
        claim = Phase(word.replace(" ", "_"))
        if claim is fact.phase(now):
            return
        self.record.counts["rows that were old within what they promise"] += 1
        sure = [each for each in self.services.told[ref] if each not in self.services.unsure]
        told = [each for each in sure if each.at <= now - self.slow]
        if claim is Phase.NEW:
            if told and fact.end != "odd":
                self._lie(ref, "untold", f"new, but {told[-1].phase} was told {now - told[-1].at:.1f} s ago")
            return
        maybe = {each.phase for each in self.services.told[ref] if each.at > now - self.slow or each not in sure}
        if fact.end == "odd":
            if claim is not Phase.RUNNING and claim is not Phase.QUEUED:
                self._lie(ref, "phase", f"{claim}, is {fact.phase(now)}")
            return
        last = told[-1] if told else None
        if claim not in maybe and (last is None or last.phase is not claim):
            said = "nothing" if last is None else f"{last.phase} {now - last.at:.1f} s ago by {last.console}"
            self._lie(ref, "phase", f"{claim}, is {fact.phase(now)}, was told {said}")
            return
        heard = max((each.at for each in self.services.told[ref] if each.phase is claim), default=now)
        interval = self.record.planned.get((ref, painted.state.checked_at or 0.0), 0.0)
        if now - heard > MISSED * interval + GRACE + PAINT + REPLY:
            what = f"{claim} of {now - heard:.0f} s ago, is {fact.phase(now)}, interval {interval:.0f}"
            self._lie(ref, "old", f"{what}; {_brief(painted.state, now)}")

    def _judge_old(self, ref: Ref, painted: Painted, now: float) -> None:
        """`12m old`: so long ago it was told."""
        said = painted.row["progress"]
        if not said.endswith(" old") or self.services.facts[ref].end == "odd":
            return
        told = self.services.told[ref]
        since = (now - each.at + by / 2 for each in told[-3:] for by in range(round(-2 * (REPLY + PAINT)), 4))
        if said.removesuffix(" old") not in map(formatting.age, since):
            self._lie(ref, "age of the report", f"{said}, told {now - told[-1].at if told else -1:.0f} s ago")

    def _judge_link(self, ref: Ref, painted: Painted, now: float) -> None:
        shown, link = painted.row["link"], reducer.primary_link(painted.state)
        if link is None or "/cdn/" not in link.url:
            return
        dies = self.services.dies(link.url)
        play = self.services.play(ref)
        signed = play is not None and play.plot.signed
        if shown == "expired":
            self.record.counts["links shown as expired"] += 1
            if dies is not None and dies > now + PAINT:
                self._lie(ref, "link", f"expired, but it lives {dies - now:.1f} s more")
            return
        if shown == link.kind:
            self.record.counts["links without a known expiry"] += 1
            return
        self.record.counts["links shown as live"] += 1
        slack = PAINT
        if not signed and dies is not None and play is not None:  # given with a reply that was lost, and seen later
            late = max(0.0, link.first_seen - (dies - play.plot.link_life))
            slack += late
            self.record.late = max(self.record.late, late)
        if dies is None or dies <= now - slack:
            self._lie(ref, "link", f"{shown}, but it is dead{'' if dies is None else f' for {now - dies:.1f} s'}")
            return
        if shown.startswith("~") is signed:
            self._lie(ref, "mark of an estimate", f"{shown}, signed: {signed}")
        label = shown.removeprefix("~").removesuffix(" !")
        near = {formatting.duration(dies - now + by) for by in (-1, 0, slack / 2, slack - PAINT, slack)}
        if label not in near:
            self._lie(ref, "life of a link", f"{shown}, lives {dies - now:.1f} s more")
        warn = self.board.context.warn_before
        if shown.endswith(" !") is not (dies - now <= warn) and abs(dies - now - warn) > slack:
            self._lie(ref, "warning", f"{shown}, lives {dies - now:.1f} s more")

    def _judge_progress(self, ref: Ref, painted: Painted, fact: Fact) -> None:
        """No service here measures progress: what stands without its mark is a stage, or a lie."""
        shown = painted.row["progress"].strip()
        if shown in {columns.EMPTY_CELL, ""} or shown.endswith(" old"):
            return
        if shown.startswith("~"):
            self.record.counts["estimates of progress, marked"] += 1
        elif not (shown.startswith("stage ") and ref.account == "flixu"):
            self._lie(ref, "progress", shown)

    def _judge_age(self, ref: Ref, painted: Painted, fact: Fact, now: float) -> None:
        """AGE: for so long it has been known to be in its phase. Never longer than it is."""
        state = painted.state
        if state.phase_since is None or fact.end in {"odd", "missing"}:
            return
        if state.phase_since > now + PAINT:
            self._lie(ref, "age", f"{state.phase} from {state.phase_since - now:.1f} s in the future")
        begins = {Phase.RUNNING: fact.runs, Phase.DONE: fact.ends, Phase.FAILED: fact.ends, Phase.BLOCKED: fact.ends}
        if ref.account == "camb":
            del begins[Phase.RUNNING]
        begins[Phase.TIMED_OUT] = fact.ends
        if state.phase in begins and state.phase_since < begins[state.phase] - 0.1:
            early = begins[state.phase] - state.phase_since
            self._lie(ref, "age", f"{state.phase} since {early:.1f} s before it was")

    # What is asked.

    def asks(self, account: str, refs: list[Ref]) -> None:
        """This console asks a service: nothing on its screen may say that it does not."""
        now, face = self.wall(), self.board.render_options
        if self.stopped or now < self.record.woken_at + WAKES:
            return
        loop = asyncio.get_running_loop()
        kept = 0 <= now - self._waits.get(account, 0.0) < 60  # what was wished for while the account had to wait
        wished = any(ref in self.wished and (kept or loop.time() - self.wished[ref] < 60) for ref in refs)
        if self.role != "polling":  # who takes over asks at once, and the screen says it with the next paint
            if not wished:
                loop.call_later(PAINT, self._judge_role, account)
            return
        held = self.board.accounts.get(account)
        if held is not None and held.until is not None and held.until > now + PAINT and not wished:
            loop.call_later(PAINT, self._judge_wait, held)
        for ref in refs:
            state = self.board.states.get(ref)
            at = columns.next_poll_at(state, face) if state is not None else None
            if at is None or state is None or ref in self.wished:
                continue
            ahead = AHEAD if len(refs) > 1 else 0.0
            if at > now + ahead + PAINT:
                loop.call_later(PAINT, self._judge_next, state, at - now)
            elif self._unhindered(account, now):
                late = now - max(at, self._waits.get(account, 0.0))
                self.record.overdue = max(
                    self.record.overdue, (late, f"{ref} on {self.name} at {now:.0f}: {_brief(state, now)}")
                )

    def _judge_role(self, account: str) -> None:
        if self.role != "polling" and not self.stopped:
            self._lie(account, "role", f"asked, but says {self.role!r}")

    def _judge_wait(self, held: AccountState) -> None:
        """An ask left some moments ago, in spite of this."""
        if self.board.accounts[held.name].until == held.until and not self.stopped:
            self._lie(
                held.name, "wait", f"asked, but waits {(held.until or 0) - self.wall():.1f} s more: {held.message}"
            )

    def _judge_next(self, state: JobState, seconds: float) -> None:
        still = (columns.next_poll_at(state, self.board.render_options) or 0.0) > self.wall()
        if self.board.states.get(state.job.ref) is state and still and not self.stopped:
            self._lie(state.job.ref, "next", f"asked, but said in {seconds:.1f} s; {_brief(state, self.wall())}")

    def _unhindered(self, account: str, now: float) -> bool:
        """Nothing kept this console from asking in the last minutes."""
        asleep, hung = now - self.record.woken_at < 60, now - self.record.hung_at < 60
        return self.role == "polling" and not (asleep or hung or self.services.troubles_near(account, now))

    # What is looked at now and then.

    def audit(self) -> None:
        """Holds all of the screen against itself and what is so."""
        now = self.wall()
        if self.stopped or now < self.record.woken_at + WAKES:
            return
        face = self.board.render_options
        for ref, painted in list(self.painted.items()):
            if ref not in self.board.states:
                continue
            self.judge(ref)
            if painted.until > now + PAINT and self.board.states[ref] is painted.state:
                self._judge_standing(ref, painted, face)
        shown = self.board.visible_refs()
        right = arranged(self.board.states.values(), self.board.context)
        if list(shown) != right:
            self._lie("all", "view", f"{len(shown)} rows for {len(right)}")
        self._judge_badges(now)

    def _judge_standing(self, ref: Ref, painted: Painted, face: columns.RenderOptions) -> None:
        """What the screen need not look at says the same as it would say now. Estimates may lag by a hundredth."""
        earlier = face._replace(context=replace(face.context, now=face.context.now - PAINT))
        now, before = self._row(painted.state, face), self._row(painted.state, earlier)
        for column, said in painted.row.items():
            lags = (column == "eta" and columns.EMPTY_CELL not in (said, now[column])) or (
                column == "progress" and _hundredths(said, now[column]) <= 1
            )
            if not lags and said not in (now[column], before[column]):
                self._lie(ref, "left standing", f"{column} {said}, should be {now[column]}")

    def _judge_badges(self, now: float) -> None:
        """An account that does not answer is not shown as well, nor the other way round."""
        if self.role != "polling":
            return
        for account, state in self.board.accounts.items():
            went = [each for each in self.services.went[self.name, account] if each[0] < now - REPLY - 20 - PAINT][-3:]
            later = [each for each in self.services.went[self.name, account] if each[0] >= now - REPLY - 20 - PAINT]
            word = account_badge(state, now, ascii_only=False).text
            if len(went) == 3 and not later and not any(well for _, well in went) and state.health is Health.OK:
                self._lie(account, "badge", "as if well, but its last three asks failed")
            if len(went) == 3 and not later and all(well for _, well in went) and word == "offline":
                self._lie(account, "badge", "offline, but its last three asks were answered")

    def judge_silence(self, silent_for: float) -> None:
        """The poller hangs for so long: this console says so, and calls what it shows old."""
        since = min(silent_for, asyncio.get_running_loop().time() - self.began)  # who comes later listens first
        if self.stopped or since < 15 + 5 + FOLLOWS + PAINT:
            return
        if not any("does not answer" in each for each in self.board.problems):
            self._lie("all", "silence", f"the poller hangs for {silent_for:.0f} s, and nobody says so")
        for ref, state in self.board.states.items():
            told = state.checked_at is not None and self.wall() - state.checked_at > 20
            if state.phase in ACTIVE and told and not state.job.archived and ref in self.painted:
                glyph = self.painted[ref].row["status"][0]
                if glyph != "?" and ref not in self.wished:
                    self._lie(ref, "silence", f"{self.painted[ref].row['status']}, though nobody polls")

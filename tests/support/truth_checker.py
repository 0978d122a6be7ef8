"""Checker of a console's screen against the real states of the services, in virtual time.

The real states come from the scenarios, the sent responses and the served links. The screen is the front end's own
board, filled through the engine's own outbox. Nothing is downloaded here, so the scenarios of files and stores
(`notready`, `expired400`, `norange`, …) are judged like `fine`; `long_running.links` judges the downloads.
"""

import asyncio
import heapq
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from tests.support.provider_services import MAX_LATENCY, WITHOUT_QUEUE, JobFact, RecordingServices
from tests.support.reference_model import expected_rows
from tui.dashboard.board_model import BoardModel
from tui.dashboard.screen import ENGINE_TIMEOUT, MIN_TICK
from tui.dashboard.widgets.badges import account_badge
from tui.domain import job_state as reducer
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import ACTIVE, Phase, Ref
from tui.engine.api import AccountState, Health
from tui.engine.outbox import Outbox
from tui.presentation import columns, formatting, table_layout
from tui.simulator.fault_injection import MISSING_STATUSES

PAINT_DELAY = 1.3
"""Seconds from an event to its paint: a wake-up every 0.1 s, and a tick per second."""
FOLLOWER_DELAY = 4.0
"""Further seconds until a follower has read it in the journal: the writer's batch, and the follower's tick."""
WAKE_DELAY = ENGINE_TIMEOUT + PAINT_DELAY
"""Seconds after a suspend until a screen checks the time: its timers did not run."""
BULK_LOOKAHEAD = 20.0
"""Seconds by which a bulk request polls a job early, at most."""
MISSED, GRACE = 3, 30.0
"""A report is stale after so many intervals and so many further seconds (DESIGN: flag stale)."""
COLUMNS = table_layout.visible_columns(200)


def _describe(state: JobState, now: float) -> str:
    """Return the known values of the job, for an error message."""
    message = {
        "checked": state.checked_at and round(state.checked_at - now, 1),
        "next": state.next_poll_at and round(state.next_poll_at - now, 1),
        "fresh": state.stale_after and round(state.stale_after - now, 1),
        "fault": state.fault and state.fault.kind,
        "archived": state.job.archived,
        "why": state.next_poll_reason,
    }
    return ", ".join(f"{name} {value}" for name, value in message.items())


def _progress_difference(one: str, other: str) -> float:
    """Return the difference of two estimates of progress; infinity if one of them is missing."""
    shares = [found and int(found[1]) for found in (re.match(r" *~(\d+)%", message) for message in (one, other))]
    return math.inf if None in shares else abs(shares[0] - shares[1])


class CheckedRow(NamedTuple):
    """Row of the screen."""

    state: JobState
    cells: dict[str, str]
    unchanged_until: float
    """Instant until which the screen does not update it."""


class Findings:
    """Errors and counts of all screens."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.checked_rows = 0
        self.error_counts: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.longest_overdue = (0.0, "")
        """Longest unhindered delay of a due poll, in seconds, and its job."""
        self.latest_expiry_error = 0.0
        """Largest error of an estimated expiry, in seconds: its link was first sent in a lost response."""
        self.intervals: dict[tuple[Ref, float], float] = {}
        """Seconds until the next scheduled poll, by job and instant of the report."""
        self.woken_at = 0.0
        self.hung_at = 0.0
        """Instant at which a leader last hung."""

    def add_error(self, console: str, ref: object, at: float, kind: str, text: str) -> None:
        self.error_counts[kind] += 1
        if self.error_counts[kind] <= 20:
            self.errors.append(f"{kind}: {console} at {at:.1f}: {ref}: {text}")


class ConsoleChecker:
    """Screen of one console, painted as the dashboard does, and its checks."""

    def __init__(
        self, name: str, services: RecordingServices, findings: Findings, wall_time: Callable[[], float]
    ) -> None:
        self.name = name
        self.services = services
        self.findings = findings
        self.wall_time = wall_time
        self.stopped = False
        self.started_at = asyncio.get_running_loop().time()
        self.board = BoardModel(EvaluationContext(now=wall_time()), wall_time)
        self.outbox = Outbox(self.take_update)
        self.rows: dict[Ref, CheckedRow] = {}
        self.role = ""
        self.user_requested: dict[Ref, float] = {}
        """Time of the last user-requested poll of each job, by the loop, which a suspend does not move."""
        self._waits: dict[str, float] = {}
        """Instant until which this screen last showed each account waiting."""
        self._row_timers: list[tuple[float, Ref]] = []
        self._last_options: object = None
        self._timer: asyncio.TimerHandle | None = None

    # As the dashboard does it.

    def take_update(self) -> None:
        if self.stopped:
            return
        update = self.outbox.take()
        self.role = self.role if update.role is None else update.role
        accounts = update.accounts or {}
        self._waits |= {name: state.waits_until for name, state in accounts.items() if state.waits_until is not None}
        self.board.apply_update(update)
        for ref, state in update.states.items():
            self._note_interval(ref, state)
        self._tick(update.states)

    def stop(self) -> None:
        """Stop checking: the screen is gone, or hangs."""
        self.stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self, fresh: object = ()) -> None:
        now, face = self.wall_time(), self.board.render_options
        if face[1:] != self._last_options:
            self._last_options = face[1:]
            fresh = list(self.board.states)
        stale = {ref for ref in fresh if ref in self.board.states}
        while self._row_timers and self._row_timers[0][0] <= now:
            until, ref = heapq.heappop(self._row_timers)
            if ref in self.rows and self.rows[ref].unchanged_until == until:
                stale.add(ref)
        for ref in stale:
            self._paint(ref, face)
        self.board.visible_rows()
        soonest = self._row_timers[0][0] - now if self._row_timers else ENGINE_TIMEOUT
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(MIN_TICK, min(ENGINE_TIMEOUT, soonest)), self._tick)

    def _paint(self, ref: Ref, face: columns.RenderOptions) -> None:
        state = self.board.states[ref]
        until = face.context.now + columns.unchanged_for(state, face)
        self.rows[ref] = CheckedRow(state, self._row(state, face), until)
        heapq.heappush(self._row_timers, (until, ref))
        self.check_row(ref)

    def _row(self, state: JobState, face: columns.RenderOptions) -> dict[str, str]:
        shown = columns.row_cells(state, COLUMNS, face)
        return {column.id: cell.text for column, cell in zip(COLUMNS, shown, strict=True)}

    def _note_interval(self, ref: Ref, state: JobState) -> None:
        """Note the interval scheduled with a report, which tells when it gets stale."""
        if state.checked_at is None or state.next_poll_at is None or state.fault is not None:
            return
        key = (ref, state.checked_at)  # a request of the operator may come before the first of these
        self.findings.intervals[key] = max(self.findings.intervals.get(key, 0.0), state.next_poll_at - state.checked_at)

    # What is judged.

    @property
    def max_delay(self) -> float:
        """Seconds until a response to any console shows on this screen, at most."""
        return MAX_LATENCY + PAINT_DELAY + FOLLOWER_DELAY

    def _add_error(self, ref: object, kind: str, text: str) -> None:
        self.findings.add_error(self.name, ref, self.wall_time(), kind, text)

    def check_row(self, ref: Ref) -> None:
        """Check one row against the real state."""
        now = self.wall_time()
        painted, fact = self.rows.get(ref), self.services.facts.get(ref)
        if self.stopped or now < self.findings.woken_at + WAKE_DELAY or painted is None or fact is None:
            return
        if ref not in self.board.states:
            return
        self.findings.checked_rows += 1
        self._check_phase(ref, painted, fact, now)
        self._check_link(ref, painted, now)
        self._check_progress(ref, painted, fact)
        self._check_phase_age(ref, painted, fact, now)

    def _check_phase(self, ref: Ref, painted: CheckedRow, fact: JobFact, now: float) -> None:
        glyph, _, word = painted.cells["status"].partition(" ")
        doubt = glyph == "?" and word != "missing"
        if doubt:
            self.findings.counts["rows shown as old or in doubt"] += 1
            self._check_report_age(ref, painted, now)
            return
        claim = Phase(word.replace(" ", "_"))
        if claim is fact.phase(now):
            return
        self.findings.counts["rows that were old within what they promise"] += 1
        sure = [each for each in self.services.sent_statuses[ref] if each not in self.services.possibly_lost]
        sent = [each for each in sure if each.sent_at <= now - self.max_delay]
        if claim is Phase.NEW:
            if sent and fact.behaviour != "odd":
                self._add_error(
                    ref, "untold", f"new, but {sent[-1].phase} was reported {now - sent[-1].sent_at:.1f} s ago"
                )
            return
        maybe = {
            each.phase
            for each in self.services.sent_statuses[ref]
            if each.sent_at > now - self.max_delay or each not in sure
        }
        if fact.behaviour == "odd":
            if claim is not Phase.RUNNING and claim is not Phase.QUEUED:
                self._add_error(ref, "phase", f"{claim}, is {fact.phase(now)}")
            return
        last = sent[-1] if sent else None
        if claim not in maybe and (last is None or last.phase is not claim):
            message = "nothing" if last is None else f"{last.phase} {now - last.sent_at:.1f} s ago by {last.console}"
            self._add_error(ref, "phase", f"{claim}, is {fact.phase(now)} but received {message}")
            return
        received = max((each.sent_at for each in self.services.sent_statuses[ref] if each.phase is claim), default=now)
        interval = self.findings.intervals.get((ref, painted.state.checked_at or 0.0), 0.0)
        if now - received > MISSED * interval + GRACE + PAINT_DELAY + MAX_LATENCY:
            what = f"{claim} of {now - received:.0f} s ago, is {fact.phase(now)}, interval {interval:.0f}"
            self._add_error(ref, "old", f"{what}; {_describe(painted.state, now)}")

    def _check_report_age(self, ref: Ref, painted: CheckedRow, now: float) -> None:
        """Check the age of a report, as in `12m old`."""
        message = painted.cells["progress"]
        if not message.endswith(" old") or self.services.facts[ref].behaviour == "odd":
            return
        sent = self.services.sent_statuses[ref]
        since = (
            now - each.sent_at + by / 2
            for each in sent[-3:]
            for by in range(round(-2 * (MAX_LATENCY + PAINT_DELAY)), 4)
        )
        if message.removesuffix(" old") not in map(formatting.age, since):
            self._add_error(
                ref, "age of the report", f"{message}, received {now - sent[-1].sent_at if sent else -1:.0f} s ago"
            )

    def _check_link(self, ref: Ref, painted: CheckedRow, now: float) -> None:
        shown, link = painted.cells["link"], reducer.primary_link(painted.state)
        if link is None or "/cdn/" not in link.url:
            return
        expires_at = self.services.link_expires_at(link.url)
        play = self.services.job_run(ref)
        signed = play is not None and play.scenario.has_signed_links
        if shown == "expired":
            self.findings.counts["links shown as expired"] += 1
            if expires_at is not None and expires_at > now + PAINT_DELAY:
                self._add_error(ref, "link", f"expired, but it lives {expires_at - now:.1f} s more")
            return
        if shown == link.kind:
            self.findings.counts["links without a known expiry"] += 1
            return
        self.findings.counts["links shown as live"] += 1
        slack = PAINT_DELAY
        if not signed and expires_at is not None and play is not None:  # in a lost response, and seen later
            late = max(0.0, link.first_seen - (expires_at - play.scenario.link_lifetime))
            slack += late
            self.findings.latest_expiry_error = max(self.findings.latest_expiry_error, late)
        if expires_at is None or expires_at <= now - slack:
            self._add_error(
                ref,
                "link",
                f"{shown}, but it has expired{'' if expires_at is None else f' for {now - expires_at:.1f} s'}",
            )
            return
        if shown.startswith("~") is signed:
            self._add_error(ref, "mark of an estimate", f"{shown}, signed: {signed}")
        label = shown.removeprefix("~").removesuffix(" !")
        near = {formatting.duration(expires_at - now + by) for by in (-1, 0, slack / 2, slack - PAINT_DELAY, slack)}
        if label not in near:
            self._add_error(ref, "life of a link", f"{shown}, lives {expires_at - now:.1f} s more")
        warn = self.board.context.warn_before
        if shown.endswith(" !") is not (expires_at - now <= warn) and abs(expires_at - now - warn) > slack:
            self._add_error(ref, "warning", f"{shown}, lives {expires_at - now:.1f} s more")

    def _check_progress(self, ref: Ref, painted: CheckedRow, fact: JobFact) -> None:
        """Check progress. No service here measures it, so an unmarked value must be a stage."""
        shown = painted.cells["progress"].strip()
        if shown in {columns.EMPTY_CELL, ""} or shown.endswith(" old"):
            return
        if shown.startswith("~"):
            self.findings.counts["estimates of progress, marked"] += 1
        elif not (shown.startswith("stage ") and ref.account == "flixu"):
            self._add_error(ref, "progress", shown)

    def _check_phase_age(self, ref: Ref, painted: CheckedRow, fact: JobFact, now: float) -> None:
        """Check the time in the phase, which never exceeds the real time."""
        state = painted.state
        if state.phase_since is None or fact.behaviour in {"odd", *MISSING_STATUSES}:
            return
        if state.phase_since > now + PAINT_DELAY:
            self._add_error(ref, "age", f"{state.phase} from {state.phase_since - now:.1f} s in the future")
        begins = {Phase.RUNNING: fact.runs, Phase.DONE: fact.ends, Phase.FAILED: fact.ends, Phase.BLOCKED: fact.ends}
        if ref.account in WITHOUT_QUEUE:
            del begins[Phase.RUNNING]
        begins[Phase.TIMED_OUT] = fact.ends
        if state.phase in begins and state.phase_since < begins[state.phase] - 0.1:
            early = begins[state.phase] - state.phase_since
            self._add_error(ref, "age", f"{state.phase} since {early:.1f} s before it was")

    # What is polled.

    def check_request(self, account: str, refs: list[Ref]) -> None:
        """Check the screen at a request of this console: role, wait and next poll must agree with it."""
        now, face = self.wall_time(), self.board.render_options
        if self.stopped or now < self.findings.woken_at + WAKE_DELAY:
            return
        loop = asyncio.get_running_loop()
        kept = 0 <= now - self._waits.get(account, 0.0) < 60  # requested while the account had to wait
        requested = any(
            ref in self.user_requested and (kept or loop.time() - self.user_requested[ref] < 60) for ref in refs
        )
        if self.role != "polling":  # the new leader polls at once, and the next paint shows it
            if not requested:
                loop.call_later(PAINT_DELAY, self._check_role, account)
            return
        held = self.board.accounts.get(account)
        if held is not None and held.waits_until is not None and held.waits_until > now + PAINT_DELAY and not requested:
            loop.call_later(PAINT_DELAY, self._check_wait, held)
        for ref in refs:
            state = self.board.states.get(ref)
            at = columns.next_poll_at(state, face) if state is not None else None
            if at is None or state is None or ref in self.user_requested:
                continue
            ahead = BULK_LOOKAHEAD if len(refs) > 1 else 0.0
            if at > now + ahead + PAINT_DELAY:
                loop.call_later(PAINT_DELAY, self._check_next_poll, state, at - now)
            elif self._is_unhindered(account, now):
                late = now - max(at, self._waits.get(account, 0.0))
                self.findings.longest_overdue = max(
                    self.findings.longest_overdue, (late, f"{ref} on {self.name} at {now:.0f}: {_describe(state, now)}")
                )

    def _check_role(self, account: str) -> None:
        if self.role != "polling" and not self.stopped:
            self._add_error(account, "role", f"polled, but shows {self.role!r}")

    def _check_wait(self, held: AccountState) -> None:
        """Check that the screen does not show an account waiting after a request."""
        if self.board.accounts[held.name].waits_until == held.waits_until and not self.stopped:
            self._add_error(
                held.name,
                "wait",
                f"polled, but waits {(held.waits_until or 0) - self.wall_time():.1f} s more: {held.message}",
            )

    def _check_next_poll(self, state: JobState, seconds: float) -> None:
        still = (columns.next_poll_at(state, self.board.render_options) or 0.0) > self.wall_time()
        if self.board.states.get(state.job.ref) is state and still and not self.stopped:
            self._add_error(
                state.job.ref,
                "next",
                f"polled, but shown as due in {seconds:.1f} s; {_describe(state, self.wall_time())}",
            )

    def _is_unhindered(self, account: str, now: float) -> bool:
        """Return whether nothing prevented requests of this console in the last minutes."""
        asleep, hung = now - self.findings.woken_at < 60, now - self.findings.hung_at < 60
        return self.role == "polling" and not (asleep or hung or self.services.has_recent_outage(account, now))

    # What is looked at now and then.

    def audit(self) -> None:
        """Check the whole screen against itself and the real states."""
        now = self.wall_time()
        if self.stopped or now < self.findings.woken_at + WAKE_DELAY:
            return
        face = self.board.render_options
        for ref, painted in list(self.rows.items()):
            if ref not in self.board.states:
                continue
            self.check_row(ref)
            if painted.unchanged_until > now + PAINT_DELAY and self.board.states[ref] is painted.state:
                self._check_unchanged_row(ref, painted, face)
        shown = self.board.visible_refs()
        right = expected_rows(self.board.states.values(), self.board.context)
        if list(shown) != right:
            self._add_error("all", "view", f"{len(shown)} rows for {len(right)}")
        self._check_badges(now)

    def _check_unchanged_row(self, ref: Ref, painted: CheckedRow, face: columns.RenderOptions) -> None:
        """Check that an unchanged row still has its current text. Estimates may lag by a hundredth."""
        earlier = face._replace(context=replace(face.context, now=face.context.now - PAINT_DELAY))
        now, before = self._row(painted.state, face), self._row(painted.state, earlier)
        for column, message in painted.cells.items():
            lags = (column == "eta" and columns.EMPTY_CELL not in (message, now[column])) or (
                column == "progress" and _progress_difference(message, now[column]) <= 1
            )
            if not lags and message not in (now[column], before[column]):
                self._add_error(ref, "left standing", f"{column} {message}, should be {now[column]}")

    def _check_badges(self, now: float) -> None:
        """Check that the badge of an account agrees with its last three requests."""
        if self.role != "polling":
            return
        for account, state in self.board.accounts.items():
            went = [
                each
                for each in self.services.exchanges[self.name, account]
                if each[0] < now - MAX_LATENCY - 20 - PAINT_DELAY
            ][-3:]
            later = [
                each
                for each in self.services.exchanges[self.name, account]
                if each[0] >= now - MAX_LATENCY - 20 - PAINT_DELAY
            ]
            word = account_badge(state, now, ascii_only=False).text
            if len(went) == 3 and not later and not any(well for _, well in went) and state.health is Health.OK:
                self._add_error(account, "badge", "as if well, but its last three polls failed")
            if len(went) == 3 and not later and all(well for _, well in went) and word == "offline":
                self._add_error(account, "badge", "offline, but its last three polls had responses")

    def check_silence(self, silent_for: float) -> None:
        """Check that a leader that hung for so long is reported, and that its rows are stale."""
        since = min(silent_for, asyncio.get_running_loop().time() - self.started_at)  # a later checker listens first
        if self.stopped or since < 15 + 5 + FOLLOWER_DELAY + PAINT_DELAY:
            return
        if not any("not responding" in each for each in self.board.problems):
            self._add_error(
                "all", "silence", f"the poller hangs for {silent_for:.0f} s, and the screen does not show it"
            )
        for ref, state in self.board.states.items():
            sent = state.checked_at is not None and self.wall_time() - state.checked_at > 20
            if state.phase in ACTIVE and sent and not state.job.archived and ref in self.rows:
                glyph = self.rows[ref].cells["status"][0]
                if glyph != "?" and ref not in self.user_requested:
                    self._add_error(ref, "silence", f"{self.rows[ref].cells['status']}, though no console polls")

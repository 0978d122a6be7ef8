"""Explanations of an account: what holds its polls back and what the operator can do, its budget and its jobs."""

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from tui.dashboard.board_model import PAUSED, VIEWING, BoardModel
from tui.dashboard.widgets.badges import wait_text
from tui.domain.job_state import JobState
from tui.domain.models import ACTIVE, Phase
from tui.engine.api import AccountState, Health
from tui.presentation import columns, formatting, queries
from tui.presentation.descriptions import describe_poll_reason, describe_remedy


class Obstacle(Struct, frozen=True):
    """One thing that holds polls back."""

    reason: str
    remedy: str
    """What the operator can do; "": nothing is needed."""


def budget_text(account: AccountState) -> str:
    """Return what the account may send: `36 requests a minute, 42 of 100 left`; "" if nothing is known."""
    parts = list[str]()
    if account.rate_per_minute is not None:
        parts.append(f"{account.rate_per_minute:.3g} requests a minute")
    if account.quota is not None:
        parts.append(f"{account.quota[0]} of {account.quota[1]} left")
    return ", ".join(parts)


def obstacles(board: BoardModel, account: AccountState, *, silent_for: float = 0.0) -> Iterator[Obstacle]:
    """Yield what holds the account's polls back, the whole board's obstacles first.

    `silent_for`: the seconds without a heartbeat of the engine, if that is too long.
    """
    if silent_for:
        yield Obstacle(f"the engine has not responded for {silent_for:.0f} s", "restart babeltop if this persists")
    if board.is_paused:
        here = board.role == PAUSED
        yield Obstacle("polling is paused", "Z: resume" if here else "Z at the leader's console: resume")
    if board.is_cut_off:
        yield Obstacle("the team's database is away: what other computers do is not known", "")
    elif board.role.startswith(("following", VIEWING)):
        yield Obstacle(f"another console polls ({board.role})", "")
    wait = wait_text(account, board.now())
    goes_on = f"; goes on in {wait}" if wait else ""
    match account.health:
        case Health.NO_KEY:
            yield Obstacle(f"no API key: {account.message}", "r: retry, once it is there; a variable takes a restart")
        case Health.REFUSED:
            yield Obstacle(f"stopped: {account.message}", "r: retry, reloading the key")
        case Health.UNKNOWN if not board.is_cut_off:
            yield Obstacle("no process that polls it responds", "the message above the table has the remedy")
        case Health.LIMITED if wait:
            yield Obstacle(f"{account.message}{goes_on}", "set a lower rate_per_minute if other programs use the key")
        case Health.OFFLINE if wait or account.consecutive_failures > 1:  # a single lost connection is no outage
            remedy = "check network and proxy: babeltop doctor"
            yield Obstacle(
                f"the service is not responding: {account.message}{goes_on or '; retried by itself'}", remedy
            )
        case _:
            if account.is_spaced:
                reason = "due polls are sent one by one, as the rate limit allows"
                yield Obstacle(reason, "set a higher rate_per_minute if your plan has one")


def jobs_text(board: BoardModel, account: str) -> str:
    """Return how many jobs of the account are polled, by phase, and how many polls are due."""
    now, states = board.now(), _polled_jobs(board, account)
    if not states:
        return "no active jobs"
    counts = Counter(state.phase for state in states)
    phases = [f"{counts[phase]} {phase}" for phase in Phase if phase in ACTIVE and counts[phase]]
    if ended := sum(state.phase not in ACTIVE for state in states):
        phases.append(f"{ended} ended")
    if board.accounts[account].health is Health.UNKNOWN:
        return ", ".join(phases)
    due = sum(state.next_poll_at is not None and state.next_poll_at <= now for state in states)
    return f"{', '.join(phases)}; {due} due now"


def next_poll_text(board: BoardModel, account: str) -> str:
    """Return when the account's next poll is sent, of which job, and why then; "" if none is scheduled."""
    options, now = board.render_options, board.now()
    polls = [(at, state) for state in _polled_jobs(board, account) if (at := columns.next_poll_at(state, options))]
    if not polls:
        return ""
    at, state = min(polls, key=lambda poll: (poll[0], poll[1].job.ref))
    when = f"in {formatting.duration(at - now)}" if at > now else "now"
    return f"{when}: {queries.display_name(state)} ({describe_poll_reason(state)})"


def fault_texts(board: BoardModel, account: str) -> Iterator[tuple[str, str]]:
    """Yield each fault of the account's jobs with the number of jobs, the most frequent first, and its remedy."""
    faults = Counter(
        (state.fault.kind, state.fault.message)
        for state in board.states.values()
        if state.job.account == account and state.fault is not None and not state.job.archived
    )
    for (kind, message), count in faults.most_common():
        yield f"{formatting.count_of(count, 'job')}: {kind.replace('_', ' ')}: {message}", describe_remedy(kind)


def _polled_jobs(board: BoardModel, account: str) -> list[JobState]:
    """Return the account's jobs that are active, or have a poll scheduled."""
    return [
        state
        for state in board.states.values()
        if state.job.account == account
        and not state.job.archived
        and (state.phase in ACTIVE or state.next_poll_at is not None)
    ]

"""Descriptions of what the domain returns as data: reasons of polls and waits, alerts, failed renewals."""

from collections.abc import Mapping, Sequence

from tui.domain.job_state import Flag, JobState, primary_link
from tui.domain.links import renewal
from tui.domain.models import FaultKind, Job, Link, PollReason
from tui.domain.polling import duration_model
from tui.domain.polling.rate_limit import WaitReason
from tui.presentation import formatting
from tui.presentation.queries import display_name

_POLL_REASONS: Mapping[PollReason, str] = {
    PollReason.FIRST: "first poll",
    PollReason.FIRST_SINCE_START: "first poll since the start",
    PollReason.REGULAR: "regular interval",
    PollReason.LEARNED: "learned interval",
    PollReason.STALLED: "running far longer than usual: less often",
    PollReason.LONG_RUNNING: "running for over a day: hourly",
    PollReason.RETRY_AFTER: "Retry-After of the service",
    PollReason.BACKOFF: "backing off",
    PollReason.REFUSED: "refused: hourly, or when the key changes",
    PollReason.RETIRED: "API retired: daily",
    PollReason.NOT_FOUND: "not found: polled again before it counts as missing",
    PollReason.MISSING: "missing: hourly for a day",
    PollReason.RESULT: "done: fetching its result",
    PollReason.RESULT_PENDING: "done, result not received: hourly for a day",
    PollReason.LINK_PENDING: "done, waiting for its link",
    PollReason.RENEWAL: "link renewed before it expires",
    PollReason.RENEWAL_RETRY: "link renewal failed: retrying",
    PollReason.RENEWAL_HOURLY: "link renewal failed: hourly",
    PollReason.RENEWAL_AT_EXPIRY: "link renewal failed: retrying when it has expired",
    PollReason.RENEWAL_AFTER_EXPIRY: "link expired, renewal failed: retrying",
    PollReason.REQUESTED: "requested",
    PollReason.KIND_CHANGED: "kind changed",
    PollReason.ACCOUNT_MOVED: "account moved",
    PollReason.KEY_CHANGED: "key changed",
    PollReason.RESPONSE_OUTDATED: "response outdated",
    PollReason.SUCCESSOR: "API retired, trying its successor",
    PollReason.BULK_FAILED: "bulk poll failed",
    PollReason.BULK_INCOMPLETE: "bulk poll incomplete",
}

_WAITS: Mapping[WaitReason, str] = {
    WaitReason.RATE: "the account's rate limit, shared by all processes",
    WaitReason.DAILY_LIMIT: "the account's daily limit, spread over the day",
    WaitReason.RETRY_AFTER: "Retry-After of the service",
    WaitReason.RATE_LIMITED: "rate-limited by the service",
    WaitReason.QUOTA_USED: "the service's rate limit is used up",
    WaitReason.DATABASE: "the team's database is not reachable",
    WaitReason.UNAVAILABLE: "the service is not responding",
}


_REMEDIES: Mapping[FaultKind, str] = {
    FaultKind.OFFLINE: "nothing needed, it is retried; babeltop doctor checks network and proxy",
    FaultKind.TIMEOUT: "nothing needed, it is retried",
    FaultKind.TLS: "babeltop doctor checks clock and certificates",
    FaultKind.REFUSED: "w, then r: retry with the new key",
    FaultKind.PAYMENT: "r: refresh once it is paid",
    FaultKind.MISSING: "a: add it with another account; d: remove",
    FaultKind.LIMITED: "nothing needed, it goes on by itself",
    FaultKind.REJECTED: "tab Response has the service's reason",
    FaultKind.SERVER: "nothing needed, it is retried",
    FaultKind.MALFORMED: "tab Response shows what was received; the provider file may have to change",
    FaultKind.TOO_LARGE: "check base_url in config.toml",
    FaultKind.REDIRECTED: "check base_url in config.toml",
    FaultKind.RETIRED: "d: remove, once the job is added at the API that replaces it",
}
"""What an operator can do after a fault, beside what its message says."""


def describe_remedy(kind: FaultKind) -> str:
    """Return what the operator can do about a fault of a poll."""
    return _REMEDIES[kind]


def describe_poll_reason(state: JobState) -> str:
    """Return why the job's next poll is due then; "" if none is due."""
    reason = state.next_poll_reason
    if reason is None:
        return ""
    if reason is PollReason.LEARNED and state.duration_fit is not None:
        usual = duration_model.typical_range(state.duration_fit)
        return f"learned: similar jobs take {formatting.duration_range(usual.low, usual.high)}"
    if reason is PollReason.BACKOFF and state.fault is not None:
        return f"backing off after {state.fault.kind.replace('_', ' ')}"
    return _POLL_REASONS[reason]


def one_time_text(link: Link) -> str:
    """Return what a link that the service serves once is still good for; "": it is no such link."""
    if not link.one_time:
        return ""
    return "used: the service sends this file once" if link.is_used else "one download only"


def describe_wait(reason: WaitReason | None) -> str:
    """Return what an account waits for; "" if for nothing."""
    return "" if reason is None else _WAITS[reason]


def describe_renewal_failure(state: JobState) -> str:
    """Return how often and why the renewal of the job's link failed; "" if it does not fail."""
    failure = renewal.failure(state)
    if failure is None:
        return ""
    why = failure.fault.message if failure.fault is not None else "the service returned the same link"
    return f"{failure.attempts} renewals failed: {why}"


def describe_alert(flag: Flag, states: Sequence[JobState], now: float) -> str:
    """Return the text of one alert about one or more jobs: stalled, or links expiring or expired."""
    first = states[0]
    if flag is Flag.STALLED:
        elapsed = formatting.span(now - (first.first_polled_at or now))
        return f"{display_name(first)}: running for {elapsed}, far longer than usual"
    if flag is Flag.EXPIRED:
        if len(states) > 1:
            return f"{len(states)} links expired: L renews them"
        return f"{display_name(first)}: link expired: L renews it"
    states = sorted(states, key=lambda state: _link_remaining(state, now))
    first, soon, last = states[0], _link_remaining(states[0], now), _link_remaining(states[-1], now)
    failures = [failure for state in states if (failure := describe_renewal_failure(state))]
    if len(states) == 1:
        return "; ".join([f"{display_name(first)}: link expires in {formatting.duration(soon)}", *failures])
    text = f"{len(states)} links expire within {formatting.duration(last)}"
    text += f" (first: {display_name(first)}, in {formatting.duration(soon)})"
    return text + (f"; {formatting.count_of(len(failures), 'renewal')} failed" if failures else "")


_SUMMARY_TERMS = {
    "failed": ("", "failed"),
    "timed_out": ("", "timed out"),
    "blocked": ("", "blocked"),
    "missing": ("", "missing"),
    "refused": ("account", "refused"),
    "retired": ("API", "retired"),
    "stalled": ("", "stalled"),
    "expired": ("link", "expired"),
    "expiring": ("link", "expiring"),
    "done": ("", "done"),
    "queued": ("", "queued"),
    "running": ("", "running"),
}
"""Noun, if it is no job, and what happened to it, by event; problems first."""
MAX_SUMMARY_NAMES = 3
"""Names of jobs and accounts in a summary."""


def describe_summary(counts: Mapping[str, int], names: Sequence[str]) -> str:
    """Return the text about what happened in a quiet time: events by name, and the jobs and accounts."""
    parts: list[str] = []
    for event, (noun, what) in _SUMMARY_TERMS.items():
        if count := counts.get(event, 0):
            parts.append(f"{formatting.count_of(count, noun) if noun else count} {what}")
    more = len(names) - MAX_SUMMARY_NAMES
    listed = ", ".join(names[:MAX_SUMMARY_NAMES]) + (f" and {more} more" if more > 0 else "")
    return f"In the quiet time: {', '.join(parts)} ({listed})"


def _link_remaining(state: JobState, now: float) -> float:
    link = primary_link(state)
    return max(0.0, (link.expires_at or now) - now) if link is not None else 0.0


def foreign_refusal(jobs: Sequence[Job]) -> str:
    """Return why jobs that are on other operators' watchlists only are not edited here; "" without any."""
    owners = sorted({owner for job in jobs for owner in job.owners})
    if not jobs:
        return ""
    what = f"{jobs[0].ref} is" if len(jobs) == 1 else f"{len(jobs)} of these jobs are"
    return f"{what} on the watchlist of {' and '.join(owners)}, not on yours: edited only there"

"""What a console saw before the curtain. It is played against the simulator and journalled, not made up.

So journal, raw bodies and services agree: a link that was given out days ago is still the one that is given out now.
"""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from tui.demo.manual_clock import ManualClock
from tui.domain import job_state
from tui.domain.job_state import Event, JobState, PollFailed, PollScheduled, ResultReceived, StatusReceived
from tui.domain.models import ACTIVE, Fault, Job, Ref, RequestRecord
from tui.domain.polling import duration_model, schedule
from tui.domain.polling.schedule import PollingPolicy
from tui.providers import response_parser
from tui.providers.response import HttpResponse
from tui.storage.config.secrets import SecretError
from tui.storage.journal.journal import JournalEntry
from tui.storage.workspace import Account, Workspace

LATENCY_RANGE_MS = (80.0, 260.0)
"""Milliseconds that a reply took, least and most."""
MAX_LEARNED = 200
"""Ended jobs of a kind that are learned from, at most."""
App = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
"""An ASGI 3 app."""


class PastPolls(NamedTuple):
    """When a job was asked before the curtain, and when it is asked next. Instants."""

    job: Job
    polled_at: tuple[float, ...]
    next_poll_at: float | None
    """None: when the cadence says."""


class HistoryPlayer:
    """A console of days gone by, with the library of today."""

    def __init__(self, workspace: Workspace, app: App, clock: ManualClock, random: Random) -> None:
        self._workspace = workspace
        self._app = app
        self._clock = clock
        self._random = random
        self._states: dict[Ref, JobState] = {}

    def play(self, past_polls: Iterable[PastPolls]) -> None:
        """Ask every job at its instants, all in the order of time, and journal what was seen."""
        past_polls = tuple(past_polls)
        self._states = {memory.job.ref: JobState(job=memory.job) for memory in past_polls}
        rounds = sorted((at, memory.job.ref) for memory in past_polls for at in memory.polled_at)
        seen = [entry for at, ref in rounds for entry in self._poll(ref, at)]
        self._workspace.journal.record(seen)
        self._workspace.journal.record([JournalEntry(self._initial_state(memory)) for memory in past_polls])

    def _initial_state(self, polls: PastPolls) -> JobState:
        """The job as it is when the curtain goes up: with what was learned of its like, and when it is asked next."""
        state = self._states[polls.job.ref]
        if state.phase in ACTIVE:
            past = self._workspace.journal.durations(polls.job.account, polls.job.kind, MAX_LEARNED)
            state = replace(state, duration_fit=duration_model.fit_durations(past, self._policy_for(polls.job).cadence))
        return state if polls.next_poll_at is None else replace(state, next_poll_at=polls.next_poll_at)

    def _poll(self, ref: Ref, at: float) -> Iterator[JournalEntry]:
        """Ask for a job's status and, where it is done, for its result: what the journal is to know of it."""
        account, job = self._workspace.accounts[ref.account], self._states[ref].job
        endpoint = account.provider.endpoint(job.kind)
        reply = self._get(account, endpoint.status.path.url(account.base_url, id=job.id), at)
        report = response_parser.parse_status(account.provider, job.kind, reply)
        yield self._apply_event(
            ref, PollFailed(report, at) if isinstance(report, Fault) else StatusReceived(report, at), reply
        )
        state = self._states[ref]
        if (
            endpoint.result is not None
            and state.report is not None
            and schedule.needs_result(state, self._policy_for(job))
        ):
            run = state.report.result_id or ""
            reply = self._get(account, endpoint.result.path.url(account.base_url, id=job.id, result_id=run), at)
            result = response_parser.parse_result(account.provider, job.kind, reply)
            yield self._apply_event(
                ref, PollFailed(result, at) if isinstance(result, Fault) else ResultReceived(result, at), reply
            )

    def _apply_event(self, ref: Ref, event: Event, response: HttpResponse) -> JournalEntry:
        """Reduce the event onto the board, and plan the next ask as the engine does."""
        state, change = job_state.reduce(self._states[ref], event)
        plan = schedule.next_poll(state, self._policy_for(state.job), response.received_at, self._random)
        planned = PollScheduled(None, None, None)
        if plan is not None:
            planned = PollScheduled(plan.at, plan.reason, schedule.stale_after(state, plan.at, response.received_at))
        self._states[ref], _ = job_state.reduce(state, planned)
        fault = event.fault.kind if isinstance(event, PollFailed) else None
        took = self._random.uniform(*LATENCY_RANGE_MS)  # its clock stands while the simulator answers
        asked = RequestRecord(
            response.received_at, response.status, round(took, 1), response.headers.get("x-request-id"), fault
        )
        return JournalEntry(self._states[ref], change, response.body, response.received_at, asked)

    def _policy_for(self, job: Job) -> PollingPolicy:
        endpoint, polling = (
            self._workspace.accounts[job.account].provider.endpoint(job.kind),
            self._workspace.settings.polling,
        )
        return PollingPolicy.for_cadence(
            endpoint.cadence,
            max_interval=polling.max_interval,
            stall_after=polling.stall_after,
            has_result_request=endpoint.result is not None,
        )

    def _get(self, account: Account, url: str, at: float) -> HttpResponse:
        """Return the reply to a GET at the instant `at`, as the engine's client would."""
        key = self._workspace.keys.get(account.name)
        if isinstance(key, SecretError):
            raise key
        header = account.provider.key
        headers = {header.header.lower(): header.prefix + key.reveal()}
        with self._clock.fixed_at(at):
            return _call_app(self._app, url, headers, at)


def _call_app(app: App, url: str, headers: Mapping[str, str], at: float) -> HttpResponse:
    """Have the app answer in one go: it waits for nothing while its clock stands."""
    parts = urlsplit(url)
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "scheme": parts.scheme,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in {"host": parts.netloc, **headers}.items()],
    }
    answering = app(scope, receive, send)
    try:
        answering.send(None)
    except StopIteration:
        start, *rest = said
        told = {name.decode(): value.decode() for name, value in start["headers"]}
        return HttpResponse(start["status"], told, b"".join(message["body"] for message in rest), at)
    answering.close()
    raise RuntimeError("the app waited, though its clock stands")

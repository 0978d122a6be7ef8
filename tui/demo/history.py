"""History of the demo's jobs before its start, polled from the simulator and written to the journal.

So journal, raw bodies and services agree: a link that was issued days ago is the one that the simulator still issues.
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
from tui.providers import faults, response_parser
from tui.providers.reports.links import LinkSource
from tui.providers.requests.request import HttpRequest
from tui.providers.requests.templates import SECRET
from tui.providers.response import HttpResponse
from tui.storage.config.configuration import Account
from tui.storage.config.secrets import SecretError
from tui.storage.journal.journal import JournalEntry
from tui.storage.workspace import Workspace

LATENCY_RANGE_MS = (80.0, 260.0)
"""Range of a past request's duration. Milliseconds."""
MAX_LEARNED = 200
"""Ended jobs of a kind that the duration model uses, at most."""
App = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
"""ASGI 3 app."""


class PastPolls(NamedTuple):
    """Past polls of a job, and its next one. Instants."""

    job: Job
    polled_at: tuple[float, ...]
    next_poll_at: float | None
    """None: as the polling policy determines."""


class HistoryPlayer:
    """Console of the past that polls the demo's jobs and journals the responses."""

    def __init__(self, workspace: Workspace, app: App, clock: ManualClock, random: Random) -> None:
        self._workspace = workspace
        self._app = app
        self._clock = clock
        self._random = random
        self._states: dict[Ref, JobState] = {}

    def play(self, past_polls: Iterable[PastPolls]) -> None:
        """Poll every job at its instants, in the order of time, and journal the responses."""
        past_polls = tuple(past_polls)
        self._states = {polls.job.ref: JobState(job=polls.job) for polls in past_polls}
        queue = sorted((at, polls.job.ref) for polls in past_polls for at in polls.polled_at)
        entries = [entry for at, ref in queue for entry in self._poll(ref, at)]
        self._workspace.journal.record(entries)
        self._workspace.journal.record([JournalEntry(self._initial_state(polls)) for polls in past_polls])

    def _initial_state(self, polls: PastPolls) -> JobState:
        """Return the job's state at the start: with its duration model and its next poll."""
        state = self._states[polls.job.ref]
        if state.phase in ACTIVE:
            durations = self._workspace.journal.durations(polls.job.account, polls.job.kind, MAX_LEARNED)
            state = replace(
                state, duration_fit=duration_model.fit_durations(durations, self._policy_for(polls.job).cadence)
            )
        return state if polls.next_poll_at is None else replace(state, next_poll_at=polls.next_poll_at)

    def _poll(self, ref: Ref, at: float) -> Iterator[JournalEntry]:
        """Poll a job's status and, if it is done, its result; yield the journal entries."""
        account, job = self._workspace.accounts[ref.account], self._states[ref].job
        endpoint = account.provider.endpoint(job.kind)
        source = LinkSource(account.base_url, account.provider.values(job.kind, job.id, account.variables))
        response = self._send(
            account, endpoint.status.fill(account.base_url, {**source.values, **self._secrets(job)}), at
        )
        report = response_parser.parse_status(account.provider, job.kind, response, source)
        if isinstance(report, Fault) and faults.is_retired(report, account.provider.sunset, at):
            report = faults.as_retired(account.provider, report, response.body)
        yield self._apply_event(
            ref, PollFailed(report, at) if isinstance(report, Fault) else StatusReceived(report, at), response
        )
        state = self._states[ref]
        if (
            endpoint.result is not None
            and state.report is not None
            and schedule.needs_result(state, self._policy_for(job))
        ):
            result_id = state.report.result_id or ""
            values = {"id": job.id, "result_id": result_id}
            response = self._send(account, endpoint.result.fill(account.base_url, values), at)
            result = response_parser.parse_result(account.provider, job.kind, response)
            yield self._apply_event(
                ref, PollFailed(result, at) if isinstance(result, Fault) else ResultReceived(result, at), response
            )

    def _apply_event(self, ref: Ref, event: Event, response: HttpResponse) -> JournalEntry:
        """Apply the event to the job's state, and schedule the next poll as the engine does."""
        state, change = job_state.reduce(self._states[ref], event)
        scheduled = schedule.next_poll(state, self._policy_for(state.job), response.received_at, self._random)
        poll_scheduled = PollScheduled(None, None, None)
        if scheduled is not None:
            poll_scheduled = PollScheduled(
                scheduled.at, scheduled.reason, schedule.stale_after(state, scheduled.at, response.received_at)
            )
        self._states[ref], _ = job_state.reduce(state, poll_scheduled)
        fault = event.fault.kind if isinstance(event, PollFailed) else None
        milliseconds = self._random.uniform(*LATENCY_RANGE_MS)  # the clock is fixed while the simulator responds
        request = RequestRecord(
            response.received_at, response.status, round(milliseconds, 1), response.headers.get("x-request-id"), fault
        )
        return JournalEntry(self._states[ref], change, response.body, response.received_at, request)

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

    def _secrets(self, job: Job) -> dict[str, str]:
        """Return the placeholders of the job's secrets, with their values."""
        found = self._workspace.job_secrets.get(job.ref, self._workspace.accounts[job.account].provider.secrets)
        if isinstance(found, SecretError):
            raise found
        return {f"{SECRET}{name}": secret.reveal() for name, secret in found.items()}

    def _send(self, account: Account, request: HttpRequest, at: float) -> HttpResponse:
        """Return the response to a request at the instant `at`, as the engine's client would."""
        key = self._workspace.keys.get(account.name)
        if isinstance(key, SecretError):
            raise key
        header = account.provider.key
        headers = {header.header.lower(): header.prefix + key.reveal()}
        with self._clock.fixed_at(at):
            return _call_app(self._app, request, headers, at)


def _call_app(app: App, request: HttpRequest, headers: Mapping[str, str], at: float) -> HttpResponse:
    """Return the app's response without an event loop: it never waits while its clock is fixed."""
    parts = urlsplit(request.url)
    sent = {"host": parts.netloc, **headers}
    if request.content_type:
        sent["content-type"] = request.content_type
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": request.method,
        "scheme": parts.scheme,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    call = app(scope, receive, send)
    try:
        call.send(None)
    except StopIteration:
        start, *rest = messages
        response_headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return HttpResponse(start["status"], response_headers, b"".join(message["body"] for message in rest), at)
    call.close()
    raise RuntimeError("the app waited, although its clock is fixed")

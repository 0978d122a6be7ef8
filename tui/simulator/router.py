"""Router of the simulated paths, and the state of the jobs. `app` checks keys and rate limits."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tui.simulator import fault_injection
from tui.simulator.files import file_response, make_file
from tui.simulator.http import SimulatedRequest, SimulatedResponse
from tui.simulator.job_run import JobRun, RequestContext, Service
from tui.simulator.link_store import LinkStore
from tui.simulator.scenario import JobLength, Scenario
from tui.simulator.services.camb import KINDS, Camb, run_id
from tui.simulator.services.deepl_documents import DeepLDocuments
from tui.simulator.services.deepl_voice import DeepLVoice
from tui.simulator.services.flixu import Flixu
from tui.simulator.services.heygen import MAX_BULK_IDS, HeyGenV2, HeyGenV3
from tui.simulator.services.konpro import KonPro
from tui.simulator.services.operations import BATCH, MAX_BATCH, Operations, has_version

READING = ("GET", "HEAD")
"""Methods of most requests."""
LIST_PATHS = (("v3", "video-translations"), ("v3", "lipsyncs"))
"""Segments of the lists of HeyGen v3's jobs; the second one is always empty."""
Handler = Callable[[SimulatedRequest, str], SimulatedResponse]
"""Handler of a request for the id in its path."""


@dataclass(frozen=True, slots=True)
class Route:
    """Service and handler of a path."""

    service: Service
    handler: Handler
    is_retired: bool = False
    """The API is retired: 410, whatever the key."""
    has_rate_limit_headers: bool = False
    """Every response has rate-limit headers (Flixu [D])."""
    methods: tuple[str, ...] = READING
    """Methods of a request."""


class Router:
    """Starts each job at its first poll, and calls its service."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        link_store: LinkStore,
        scenarios: Iterable[Scenario],
        seed: int,
        retired: bool,
    ) -> None:
        """`now` is the simulated clock; `retired`: HeyGen v2 is retired."""
        self.poll_counts: Counter[tuple[str, str]] = Counter()
        """Polls of each (service, id), bulk polls included."""
        self._now, self._link_store, self._seed = now, link_store, seed
        self._scenarios = {(scenario.service, scenario.id): scenario for scenario in scenarios}
        self._job_runs: dict[tuple[str, str], JobRun] = {}
        self._runs_by_result: dict[tuple[str, int], JobRun] = {}
        self._v3, self._camb, self._flixu, self._operations = HeyGenV3(), Camb(), Flixu(), Operations()
        self._documents = DeepLDocuments()
        self._list_route = Route(self._v3, self._list_handler)
        self._file_routes = {
            ("v1", "documents", "download"): Route(
                self._flixu, self._flixu_download_handler, has_rate_limit_headers=True
            ),
            ("v2", "document", "result"): Route(self._documents, self._document_handler, methods=("POST",)),
        }
        """Routes by the two segments before the id and the one after it."""
        self._routes = self._build_routes(retired)

    def match(self, segments: tuple[str, ...]) -> tuple[Route, str] | None:
        """Return the route of a path and the id in it; None for an unknown path."""
        file_route = self._file_routes.get((*segments[:2], segments[3])) if len(segments) == 4 else None
        if file_route is not None:
            return file_route, segments[2]
        if segments in LIST_PATHS:
            return self._list_route, segments[-1]
        route = self._routes.get(segments[:-1])
        return (route, segments[-1]) if route and segments[-1] else None

    def _build_routes(self, retired: bool) -> dict[tuple[str, ...], Route]:
        """Return the routes by the segments before the id, which is the last one."""
        v2, konpro, voice = HeyGenV2(), KonPro(), DeepLVoice()
        routes: dict[tuple[str, ...], Route] = {
            ("v2", "video_translate"): Route(v2, self._status_handler(v2, "video"), is_retired=retired),
            ("v3", "video-translations"): Route(self._v3, self._heygen_v3_handler),
            ("v1", "video_translate"): Route(konpro, self._status_handler(konpro, "video")),
            ("v2", "document"): Route(
                self._documents, self._status_handler(self._documents, "document"), methods=("POST",)
            ),
            ("v1", "jobs", "voice", "translate"): Route(voice, self._status_handler(voice, "video")),
            ("v1", "translate"): Route(
                self._flixu, self._status_handler(self._flixu, "document"), has_rate_limit_headers=True
            ),
        }
        routes["operations",] = Route(self._operations, self._operations_handler)
        for kind, (result, pace) in KINDS.items():
            routes[kind,] = Route(self._camb, self._camb_task_handler(result, pace))
            routes[result,] = Route(self._camb, self._camb_result_handler(result))
        return routes

    def _job_run(self, service: Service, job_id: str, length: JobLength) -> JobRun:
        """Return the run of a job, which starts now if it is new."""
        key = (service.name, job_id)
        if key not in self._job_runs:
            scenario = self._scenarios.get(key) or self._scenarios.get((None, job_id)) or Scenario(job_id)
            resolved = scenario.resolve(length, self._seed)
            self._job_runs[key] = JobRun(
                service.name, resolved, self._now() if resolved.started_at is None else resolved.started_at
            )
        return self._job_runs[key]

    def _request_context(self, job_run: JobRun, request: SimulatedRequest, *, is_poll: bool = False) -> RequestContext:
        now = self._now()
        stage = job_run.record_poll(now) if is_poll else job_run.stage_at(now)
        return RequestContext(request, job_run, stage, self._link_store.issue, now)

    def _poll(
        self, service: Service, job_id: str, length: JobLength, request: SimulatedRequest
    ) -> tuple[JobRun, SimulatedResponse]:
        self.poll_counts[service.name, job_id] += 1
        context = self._request_context(self._job_run(service, job_id, length), request, is_poll=True)
        return context.job_run, fault_injection.inject_fault(
            fault_injection.respond(service, context), service, context, self._now()
        )

    def _status_handler(self, service: Service, length: JobLength) -> Handler:
        return lambda request, job: self._poll(service, job, length, request)[1]

    def _heygen_v3_handler(self, request: SimulatedRequest, job_id: str) -> SimulatedResponse:
        """Return one job of HeyGen v3, or many at "statuses"."""
        if job_id != "statuses":
            return self._poll(self._v3, job_id, "video", request)[1]
        jobs = [each for ids in request.query_values("video_translation_ids") for each in ids.split(",") if each]
        if not 0 < len(jobs) <= MAX_BULK_IDS:
            return self._v3.error_response(400, request)
        return self._v3.bulk_response(request, self._bulk_runs(self._v3, jobs), self._now())

    def _list_handler(self, request: SimulatedRequest, name: str) -> SimulatedResponse:
        """Return a page of HeyGen v3's jobs, the newest first; scenarios with a start are jobs from then on."""
        if name == "lipsyncs":
            return self._v3.list_response(request, ())
        now = self._now()
        for (service, job_id), scenario in self._scenarios.items():
            if service == self._v3.name and scenario.started_at is not None and scenario.started_at <= now:
                self._job_run(self._v3, job_id, "video")
        runs = [run for (service, _), run in self._job_runs.items() if service == self._v3.name]
        found = [run for run in runs if run.scenario.behaviour not in fault_injection.MISSING_STATUSES]
        found.sort(key=lambda run: (-run.started_at, run.scenario.id))
        return self._v3.list_response(request, [self._request_context(run, request) for run in found])

    def _operations_handler(self, request: SimulatedRequest, job_id: str) -> SimulatedResponse:
        """Return one operation, or many at "batch"."""
        if job_id != BATCH:
            return self._poll(self._operations, job_id, "video", request)[1]
        jobs = [each for ids in request.query_values("ids") for each in ids.split(",") if each]
        if not has_version(request) or not 0 < len(jobs) <= MAX_BATCH:
            return self._operations.error_response(400, request)
        return self._operations.bulk_response(self._bulk_runs(self._operations, jobs), self._now())

    def _bulk_runs(self, service: Service, jobs: Iterable[str]) -> list[tuple[str, JobRun | None]]:
        """Return the run of each job, None for one that the service does not find, and count the polls."""
        self.poll_counts.update((service.name, each) for each in jobs)
        job_runs = {each: self._job_run(service, each, "video") for each in jobs}
        return [
            (each, None if job_run.scenario.behaviour in fault_injection.MISSING_STATUSES else job_run)
            for each, job_run in job_runs.items()
        ]

    def _camb_task_handler(self, result: str, length: JobLength) -> Handler:
        """Return the handler of a CAMB.AI task's status, whose run_id identifies the result."""

        def handler(request: SimulatedRequest, job: str) -> SimulatedResponse:
            job_run, response = self._poll(self._camb, job, length, request)
            self._runs_by_result[result, run_id(job_run.scenario)] = job_run
            return response

        return handler

    def _camb_result_handler(self, path: str) -> Handler:
        """Return the handler of a CAMB.AI result; 404 before the end of the task."""

        def handler(request: SimulatedRequest, number: str) -> SimulatedResponse:
            if not number.isdecimal():
                return self._camb.error_response(422, request)
            job_run = self._runs_by_result.get((path, int(number)))
            context = self._request_context(job_run, request, is_poll=True) if job_run else None
            if context is None or not context.succeeded:
                return self._camb.error_response(404, request)
            return fault_injection.inject_fault(
                self._camb.result_response(path, context), self._camb, context, self._now()
            )

        return handler

    def _document_handler(self, request: SimulatedRequest, job_id: str) -> SimulatedResponse:
        """Return DeepL's translated document, once."""
        job_run = self._job_run(self._documents, job_id, "document")
        return self._documents.result_response(self._request_context(job_run, request))

    def _flixu_download_handler(self, request: SimulatedRequest, job_id: str) -> SimulatedResponse:
        """Return Flixu's translated document; 404 before the end of the job."""
        job_run = self._job_runs.get((self._flixu.name, job_id))
        if job_run is None or not self._request_context(job_run, request).succeeded:
            return self._flixu.error_response(404, request)
        return file_response(make_file(job_run.scenario, "translated.txt"), request)

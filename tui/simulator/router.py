"""Who answers at which path, and the stories that are being told. It checks no keys and keeps no limits."""

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
from tui.simulator.services.flixu import Flixu
from tui.simulator.services.heygen import MAX_BULK_IDS, HeyGenV2, HeyGenV3
from tui.simulator.services.konpro import KonPro

Handler = Callable[[SimulatedRequest, str], SimulatedResponse]
"""Answers a request for the id that its path tells."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads."""

    service: Service
    handler: Handler
    is_retired: bool = False
    """The API is over: 410, whatever the key."""
    has_rate_limit_headers: bool = False
    """Every reply tells how the key stands (Flixu [D])."""


class Router:
    """Begins each story at its first ask, and has its service tell it."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        link_store: LinkStore,
        scenarios: Iterable[Scenario],
        seed: int,
        retired: bool,
    ) -> None:
        """`now` is the simulated clock; `retired`: HeyGen v2 is over."""
        self.poll_counts: Counter[tuple[str, str]] = Counter()
        """How often each (service, id) was asked for its status, bulk asks included."""
        self._now, self._link_store, self._seed = now, link_store, seed
        self._scenarios = {(story.service, story.id): story for story in scenarios}
        self._job_runs: dict[tuple[str, str], JobRun] = {}
        self._runs_by_result: dict[tuple[str, int], JobRun] = {}
        self._v3, self._camb, self._flixu = HeyGenV3(), Camb(), Flixu()
        self._download_route = Route(self._flixu, self._flixu_download_handler, has_rate_limit_headers=True)
        self._routes = self._build_routes(retired)

    def match(self, segments: tuple[str, ...]) -> tuple[Route, str] | None:
        """Return where a path leads, and the id in it; None where it leads nowhere."""
        if len(segments) == 4 and (*segments[:2], segments[3]) == ("v1", "documents", "download"):
            return self._download_route, segments[2]
        route = self._routes.get(segments[:-1])
        return (route, segments[-1]) if route and segments[-1] else None

    def _build_routes(self, retired: bool) -> dict[tuple[str, ...], Route]:
        """Return the routes by what stands before the id, which is their path's last part."""
        v2, konpro = HeyGenV2(), KonPro()
        routes: dict[tuple[str, ...], Route] = {
            ("v2", "video_translate"): Route(v2, self._status_handler(v2, "video"), is_retired=retired),
            ("v3", "video-translations"): Route(self._v3, self._heygen_v3_handler),
            ("v1", "video_translate"): Route(konpro, self._status_handler(konpro, "video")),
            ("v1", "translate"): Route(
                self._flixu, self._status_handler(self._flixu, "document"), has_rate_limit_headers=True
            ),
        }
        for kind, (result, pace) in KINDS.items():
            routes[kind,] = Route(self._camb, self._camb_task_handler(result, pace))
            routes[result,] = Route(self._camb, self._camb_result_handler(result))
        return routes

    def _job_run(self, service: Service, job_id: str, length: JobLength) -> JobRun:
        """Return the story of a job, begun now if it was never asked for."""
        place = (service.name, job_id)
        if place not in self._job_runs:
            story = self._scenarios.get(place) or self._scenarios.get((None, job_id)) or Scenario(job_id)
            plot = story.resolve(length, self._seed)
            self._job_runs[place] = JobRun(
                service.name, plot, self._now() if plot.started_at is None else plot.started_at
            )
        return self._job_runs[place]

    def _request_context(self, job_run: JobRun, request: SimulatedRequest) -> RequestContext:
        return RequestContext(request, job_run, job_run.record_poll(self._now()), self._link_store.issue)

    def _poll(
        self, service: Service, job_id: str, length: JobLength, request: SimulatedRequest
    ) -> tuple[JobRun, SimulatedResponse]:
        self.poll_counts[service.name, job_id] += 1
        telling = self._request_context(self._job_run(service, job_id, length), request)
        return telling.job_run, fault_injection.inject_fault(
            fault_injection.respond(service, telling), service, telling, self._now()
        )

    def _status_handler(self, service: Service, length: JobLength) -> Handler:
        return lambda request, job: self._poll(service, job, length, request)[1]

    def _heygen_v3_handler(self, request: SimulatedRequest, job_id: str) -> SimulatedResponse:
        """HeyGen v3: one job, or many at "statuses"."""
        if job_id != "statuses":
            return self._poll(self._v3, job_id, "video", request)[1]
        jobs = [each for said in request.query_values("video_translation_ids") for each in said.split(",") if each]
        if not 0 < len(jobs) <= MAX_BULK_IDS:
            return self._v3.error_response(400, request)
        self.poll_counts.update(("heygen", each) for each in jobs)
        plays = {each: self._job_run(self._v3, each, "video") for each in jobs}
        known = [(each, None if play.scenario.behaviour == "missing" else play) for each, play in plays.items()]
        return self._v3.bulk_response(request, known, self._now())

    def _camb_task_handler(self, result: str, length: JobLength) -> Handler:
        """CAMB.AI: a task's status, which tells the run under which its result is found."""

        def handler(request: SimulatedRequest, job: str) -> SimulatedResponse:
            play, reply = self._poll(self._camb, job, length, request)
            self._runs_by_result[result, run_id(play.scenario)] = play
            return reply

        return handler

    def _camb_result_handler(self, path: str) -> Handler:
        """CAMB.AI: what a run brought; 404 before it is over."""

        def handler(request: SimulatedRequest, number: str) -> SimulatedResponse:
            if not number.isdecimal():
                return self._camb.error_response(422, request)
            play = self._runs_by_result.get((path, int(number)))
            telling = self._request_context(play, request) if play else None
            if telling is None or not telling.succeeded:
                return self._camb.error_response(404, request)
            return fault_injection.inject_fault(
                self._camb.result_response(path, telling), self._camb, telling, self._now()
            )

        return handler

    def _flixu_download_handler(self, request: SimulatedRequest, job_id: str) -> SimulatedResponse:
        """Flixu: the translated document; 404 before there is one."""
        play = self._job_runs.get((self._flixu.name, job_id))
        if (
            play is None
            or not RequestContext(request, play, play.stage_at(self._now()), self._link_store.issue).succeeded
        ):
            return self._flixu.error_response(404, request)
        return file_response(make_file(play.scenario, "translated.txt"), request)

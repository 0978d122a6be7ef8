"""Who answers at which path, and the stories that are being told. It checks no keys and keeps no limits."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tui.simulator import fault_injection
from tui.simulator.files import made, send
from tui.simulator.http import Reply, Request
from tui.simulator.job_run import Play, Service, Telling
from tui.simulator.link_store import Shelf
from tui.simulator.scenario import Pace, Story
from tui.simulator.services.camb import KINDS, Camb, run
from tui.simulator.services.flixu import Flixu
from tui.simulator.services.heygen import MOST, V2, V3
from tui.simulator.services.konpro import KonPro

Handler = Callable[[Request, str], Reply]
"""Answers a request for the id that its path tells."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads."""

    service: Service
    handler: Handler
    gone: bool = False
    """The API is over: 410, whatever the key."""
    metered: bool = False
    """Every reply tells how the key stands (Flixu [D])."""


class Desk:
    """Begins each story at its first ask, and has its service tell it."""

    def __init__(
        self, *, now: Callable[[], float], shelf: Shelf, stories: Iterable[Story], seed: int, retired: bool
    ) -> None:
        """`now` is the simulated clock; `retired`: HeyGen v2 is over."""
        self.asks: Counter[tuple[str, str]] = Counter()
        """How often each (service, id) was asked for its status, bulk asks included."""
        self._now, self._shelf, self._seed = now, shelf, seed
        self._stories = {(story.service, story.id): story for story in stories}
        self._plays: dict[tuple[str, str], Play] = {}
        self._runs: dict[tuple[str, int], Play] = {}
        self._v3, self._camb, self._flixu = V3(), Camb(), Flixu()
        self._download_route = Route(self._flixu, self._download, metered=True)
        self._routes = self._routed(retired)

    def find(self, segments: tuple[str, ...]) -> tuple[Route, str] | None:
        """Return where a path leads, and the id in it; None where it leads nowhere."""
        if len(segments) == 4 and (*segments[:2], segments[3]) == ("v1", "documents", "download"):
            return self._download_route, segments[2]
        route = self._routes.get(segments[:-1])
        return (route, segments[-1]) if route and segments[-1] else None

    def _routed(self, retired: bool) -> dict[tuple[str, ...], Route]:
        """Return the routes by what stands before the id, which is their path's last part."""
        v2, konpro = V2(), KonPro()
        routes: dict[tuple[str, ...], Route] = {
            ("v2", "video_translate"): Route(v2, self._status(v2, "video"), gone=retired),
            ("v3", "video-translations"): Route(self._v3, self._translation),
            ("v1", "video_translate"): Route(konpro, self._status(konpro, "video")),
            ("v1", "translate"): Route(self._flixu, self._status(self._flixu, "document"), metered=True),
        }
        for kind, (result, pace) in KINDS.items():
            routes[kind,] = Route(self._camb, self._task(result, pace))
            routes[result,] = Route(self._camb, self._result(result))
        return routes

    def _play(self, service: Service, job: str, pace: Pace) -> Play:
        """Return the story of a job, begun now if it was never asked for."""
        place = (service.name, job)
        if place not in self._plays:
            story = self._stories.get(place) or self._stories.get((None, job)) or Story(job)
            plot = story.plotted(pace, self._seed)
            self._plays[place] = Play(service.name, plot, self._now() if plot.began is None else plot.began)
        return self._plays[place]

    def _telling(self, play: Play, request: Request) -> Telling:
        return Telling(request, play, play.ask(self._now()), self._shelf.link)

    def _ask(self, service: Service, job: str, pace: Pace, request: Request) -> tuple[Play, Reply]:
        self.asks[service.name, job] += 1
        telling = self._telling(self._play(service, job, pace), request)
        return telling.play, fault_injection.spoiled(
            fault_injection.told(service, telling), service, telling, self._now()
        )

    def _status(self, service: Service, pace: Pace) -> Handler:
        return lambda request, job: self._ask(service, job, pace, request)[1]

    def _translation(self, request: Request, job: str) -> Reply:
        """HeyGen v3: one job, or many at "statuses"."""
        if job != "statuses":
            return self._ask(self._v3, job, "video", request)[1]
        jobs = [each for said in request.arguments("video_translation_ids") for each in said.split(",") if each]
        if not 0 < len(jobs) <= MOST:
            return self._v3.error(400, request)
        self.asks.update(("heygen", each) for each in jobs)
        plays = {each: self._play(self._v3, each, "video") for each in jobs}
        known = [(each, None if play.plot.end == "missing" else play) for each, play in plays.items()]
        return self._v3.statuses(request, known, self._now())

    def _task(self, result: str, pace: Pace) -> Handler:
        """CAMB.AI: a task's status, which tells the run under which its result is found."""

        def handler(request: Request, job: str) -> Reply:
            play, reply = self._ask(self._camb, job, pace, request)
            self._runs[result, run(play.plot)] = play
            return reply

        return handler

    def _result(self, path: str) -> Handler:
        """CAMB.AI: what a run brought; 404 before it is over."""

        def handler(request: Request, number: str) -> Reply:
            if not number.isdecimal():
                return self._camb.error(422, request)
            play = self._runs.get((path, int(number)))
            telling = self._telling(play, request) if play else None
            if telling is None or not telling.succeeded:
                return self._camb.error(404, request)
            return fault_injection.spoiled(self._camb.result(path, telling), self._camb, telling, self._now())

        return handler

    def _download(self, request: Request, job: str) -> Reply:
        """Flixu: the translated document; 404 before there is one."""
        play = self._plays.get((self._flixu.name, job))
        if play is None or not Telling(request, play, play.stage(self._now()), self._shelf.link).succeeded:
            return self._flixu.error(404, request)
        return send(made(play.plot, "translated.txt"), request)

"""Links that are given out, and that die: the services' content networks, on the simulator's own origin."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from urllib.parse import quote, urlencode, urlsplit

from tui.simulator.files import made, send
from tui.simulator.http import Reply, Request
from tui.simulator.job_run import Play
from tui.simulator.scenario import Plot

ROOT = "cdn"
"""The first part of every link's path."""


@dataclass(frozen=True, slots=True)
class _Grant:
    mark: str
    """What the path is found by."""
    path: str
    query: str
    kept: float
    """Instant from which another ask gets another link."""
    dies: float
    plot: Plot
    name: str


class Shelf:
    """Gives out links and serves what they lead to. One is given until it dies, or for as long as its story says."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._grants: dict[tuple[str, str, str], _Grant] = {}
        self._marks: dict[str, _Grant] = {}

    def link(self, play: Play, name: str, request: Request) -> str:
        """Return the URL of the file called `name` of a story."""
        now = self._now()
        place = (play.service, play.plot.id, name)
        grant = self._grants.get(place)
        if grant is None or now >= min(grant.kept, grant.dies):
            if grant is not None and now >= grant.dies:
                del self._marks[grant.mark]
            grant = self._grants[place] = _granted(play, name, now)
            self._marks[grant.mark] = grant
        return f"{request.origin}{grant.path}" + (f"?{grant.query}" if grant.query else "")

    def dies(self, url: str) -> float | None:
        """Return the instant at which a link dies or died; None: it was never given, or something replaced it."""
        segments = urlsplit(url).path.split("/")
        grant = self._marks.get(segments[2]) if segments[1:2] == [ROOT] and len(segments) > 2 else None
        return None if grant is None else grant.dies

    def fetch(self, request: Request) -> Reply:
        """Serve the file that a link leads to: CloudFront's 403 where it is dead, was never given or was changed."""
        grant = self._marks.get(request.segments[1]) if len(request.segments) > 1 else None
        if grant is None or self._now() >= grant.dies or (grant.plot.signed and request.query != grant.query):
            xml = '<?xml version="1.0" encoding="UTF-8"?>'
            error = "<Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>"
            return Reply(403, f"{xml}{error}".encode(), "text/xml", {"x-cache": "Error from cloudfront"})
        return send(made(grant.plot, grant.name), request)


def _granted(play: Play, name: str, now: float) -> _Grant:
    plot = play.plot
    mark = blake2b(f"{play.service}/{plot.id}/{name}/{now}".encode(), digest_size=8).hexdigest()
    path = f"/{ROOT}/{mark}/{quote(plot.id, safe='')}/{name}"
    if not plot.signed:
        return _Grant(mark, path, _unsigned(play, name), now + plot.link_kept, now + plot.link_life, plot, name)
    sign = _cloudfront if play.service == "heygen" else _sigv4
    query = urlencode(sign(mark, now, plot.link_life))
    return _Grant(mark, path, query, now + plot.link_kept, int(now) + int(plot.link_life), plot, name)


def _unsigned(play: Play, name: str) -> str:
    """HeyGen's links ask for a file name, and carry no expiry [W]; the others' are bare."""
    if play.service != "heygen":
        return ""
    title = quote(f"{play.plot.title}.{name.rpartition('.')[2]}", safe="")
    return urlencode({"response-content-disposition": f"attachment; filename*=UTF-8''{title};"})


def _cloudfront(mark: str, now: float, life: float) -> dict[str, str]:
    """CloudFront's canned policy: the instant of death in whole seconds."""
    return {"Expires": str(int(now) + int(life)), "Signature": f"{mark}~{mark}__", "Key-Pair-Id": "K2SIMULATED0"}


def _sigv4(mark: str, now: float, life: float) -> dict[str, str]:
    """S3's Signature Version 4: the instant of birth and the seconds of life."""
    born = datetime.fromtimestamp(int(now), UTC)
    return {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIASIMULATED/{born:%Y%m%d}/us-east-1/s3/aws4_request",
        "X-Amz-Date": f"{born:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(int(life)),
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": mark * 4,
    }

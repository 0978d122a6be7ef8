"""Links that are given out, and that die: the services' content networks, on the simulator's own origin."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from urllib.parse import quote, urlencode, urlsplit

from tui.simulator.files import file_response, make_file
from tui.simulator.http import SimulatedRequest, SimulatedResponse
from tui.simulator.job_run import JobRun
from tui.simulator.scenario import ResolvedScenario

CDN_ROOT = "cdn"
"""The first part of every link's path."""


@dataclass(frozen=True, slots=True)
class _IssuedLink:
    token: str
    """What the path is found by."""
    path: str
    query: str
    replaced_at: float
    """Instant from which another ask gets another link."""
    expires_at: float
    scenario: ResolvedScenario
    file_name: str


class LinkStore:
    """Gives out links and serves what they lead to. One is given until it dies, or for as long as its story says."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._links_by_file: dict[tuple[str, str, str], _IssuedLink] = {}
        self._links_by_token: dict[str, _IssuedLink] = {}

    def issue(self, job_run: JobRun, file_name: str, request: SimulatedRequest) -> str:
        """Return the URL of the file called `name` of a story."""
        now = self._now()
        place = (job_run.service, job_run.scenario.id, file_name)
        grant = self._links_by_file.get(place)
        if grant is None or now >= min(grant.replaced_at, grant.expires_at):
            if grant is not None and now >= grant.expires_at:
                del self._links_by_token[grant.token]
            grant = self._links_by_file[place] = _issue(job_run, file_name, now)
            self._links_by_token[grant.token] = grant
        return f"{request.origin}{grant.path}" + (f"?{grant.query}" if grant.query else "")

    def expires_at(self, url: str) -> float | None:
        """Return the instant at which a link dies or died; None: it was never given, or something replaced it."""
        segments = urlsplit(url).path.split("/")
        grant = self._links_by_token.get(segments[2]) if segments[1:2] == [CDN_ROOT] and len(segments) > 2 else None
        return None if grant is None else grant.expires_at

    def serve_file(self, request: SimulatedRequest) -> SimulatedResponse:
        """Serve the file that a link leads to: CloudFront's 403 where it is dead, was never given or was changed."""
        grant = self._links_by_token.get(request.segments[1]) if len(request.segments) > 1 else None
        if (
            grant is None
            or self._now() >= grant.expires_at
            or (grant.scenario.has_signed_links and request.query != grant.query)
        ):
            xml = '<?xml version="1.0" encoding="UTF-8"?>'
            error = "<Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>"
            return SimulatedResponse(403, f"{xml}{error}".encode(), "text/xml", {"x-cache": "Error from cloudfront"})
        return file_response(make_file(grant.scenario, grant.file_name), request)


def _issue(job_run: JobRun, file_name: str, now: float) -> _IssuedLink:
    plot = job_run.scenario
    mark = blake2b(f"{job_run.service}/{plot.id}/{file_name}/{now}".encode(), digest_size=8).hexdigest()
    path = f"/{CDN_ROOT}/{mark}/{quote(plot.id, safe='')}/{file_name}"
    if not plot.has_signed_links:
        return _IssuedLink(
            mark,
            path,
            _unsigned_query(job_run, file_name),
            now + plot.link_reuse,
            now + plot.link_lifetime,
            plot,
            file_name,
        )
    sign = _cloudfront_query if job_run.service == "heygen" else _sigv4_query
    query = urlencode(sign(mark, now, plot.link_lifetime))
    return _IssuedLink(mark, path, query, now + plot.link_reuse, int(now) + int(plot.link_lifetime), plot, file_name)


def _unsigned_query(job_run: JobRun, file_name: str) -> str:
    """HeyGen's links ask for a file name, and carry no expiry [W]; the others' are bare."""
    if job_run.service != "heygen":
        return ""
    title = quote(f"{job_run.scenario.title}.{file_name.rpartition('.')[2]}", safe="")
    return urlencode({"response-content-disposition": f"attachment; filename*=UTF-8''{title};"})


def _cloudfront_query(token: str, now: float, lifetime: float) -> dict[str, str]:
    """CloudFront's canned policy: the instant of death in whole seconds."""
    return {"Expires": str(int(now) + int(lifetime)), "Signature": f"{token}~{token}__", "Key-Pair-Id": "K2SIMULATED0"}


def _sigv4_query(token: str, now: float, lifetime: float) -> dict[str, str]:
    """S3's Signature Version 4: the instant of birth and the seconds of life."""
    born = datetime.fromtimestamp(int(now), UTC)
    return {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIASIMULATED/{born:%Y%m%d}/us-east-1/s3/aws4_request",
        "X-Amz-Date": f"{born:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(int(lifetime)),
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": token * 4,
    }

"""Issued links and their expiry: the services' CDNs, on the simulator's origin."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from urllib.parse import quote, urlencode, urlsplit

from tui.simulator.files import altered_file_response, make_file
from tui.simulator.http import SimulatedRequest, SimulatedResponse, json, xml_error
from tui.simulator.job_run import JobRun
from tui.simulator.scenario import ResolvedScenario

NOT_READY_SECONDS = 12.0
"""Seconds after the first link of a file in which its store does not have it yet, in the next scenarios."""
UNREADY_STATUSES = {"notready": 404, "accepted": 202}
"""HTTP status until then, by behaviour."""
ACCESS_DENIED = xml_error(403, "AccessDenied", "Access denied").with_headers(x_cache="Error from cloudfront")
"""CloudFront's response for a link that is expired, unknown or changed."""
NO_SUCH_KEY = xml_error(404, "NoSuchKey", "The specified key does not exist.")
"""S3's response for a file that was deleted after its download."""
BROKEN_LINKS = {
    "expired400": xml_error(400, "ExpiredToken", "The provided token has expired."),
    "expired403": xml_error(403, "AccessDenied", "Request has expired"),
    "expired200": json({"error": "link expired"}),
    "loginpage": SimulatedResponse(200, b"<!DOCTYPE html><title>Sign in</title><p>Please sign in</p>", "text/html"),
}
"""Responses of stores for the first link of a file, by behaviour: the next link works."""
CDN_ROOT = "cdn"
"""First segment of every link's path."""


@dataclass(frozen=True, slots=True)
class _IssuedLink:
    token: str
    """Second segment of the path; identifies the link."""
    path: str
    query: str
    replaced_at: float
    """Instant from which a poll gets a new link."""
    expires_at: float
    scenario: ResolvedScenario
    file_name: str
    ready_at: float
    """Instant from which the store has the file."""
    is_broken: bool
    """Rejected from the beginning, whatever it states."""
    fetched_once: set[str] | None = None
    """Files of its job that were sent and are not sent again; None: files are sent as often as requested."""


class LinkStore:
    """Issues links and serves their files. A link is reused until it expires, or as long as its scenario says."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._links_by_file: dict[tuple[str, str, str], _IssuedLink] = {}
        self._links_by_token: dict[str, _IssuedLink] = {}

    def issue(self, job_run: JobRun, file_name: str, request: SimulatedRequest, is_sent_once: bool) -> str:
        """Return the URL of a job's file."""
        now = self._now()
        key = (job_run.service, job_run.scenario.id, file_name)
        link = self._links_by_file.get(key)
        if link is None or link.is_broken or now >= min(link.replaced_at, link.expires_at):
            if link is not None and now >= link.expires_at:
                del self._links_by_token[link.token]
            behaviour = job_run.scenario.behaviour
            ready_at = now + NOT_READY_SECONDS * (behaviour in UNREADY_STATUSES) if link is None else link.ready_at
            is_broken = link is None and behaviour in BROKEN_LINKS
            link = _issue(job_run, file_name, now, ready_at, is_broken=is_broken)
            if is_sent_once:
                link = replace(link, fetched_once=job_run.fetched_once)
            self._links_by_file[key] = link
            self._links_by_token[link.token] = link
        return f"{request.origin}{link.path}" + (f"?{link.query}" if link.query else "")

    def expires_at(self, url: str) -> float | None:
        """Return the instant at which a link expires; None if it was not issued or was replaced."""
        segments = urlsplit(url).path.split("/")
        link = self._links_by_token.get(segments[2]) if segments[1:2] == [CDN_ROOT] and len(segments) > 2 else None
        return None if link is None else link.expires_at

    def serve_file(self, request: SimulatedRequest) -> SimulatedResponse:
        """Return the file of a link; CloudFront's 403 if the link is expired, unknown or changed.

        The scenario's behaviour may replace either by what other stores send.
        """
        link, now = self._links_by_token.get(request.segments[1]) if len(request.segments) > 1 else None, self._now()
        if link is None or now >= link.expires_at:
            return ACCESS_DENIED
        behaviour = link.scenario.behaviour
        if link.is_broken:
            return BROKEN_LINKS[behaviour]
        if now < link.ready_at:
            return SimulatedResponse(UNREADY_STATUSES[behaviour], b"", "text/plain")
        if link.scenario.has_signed_links and request.query != link.query:
            return ACCESS_DENIED
        if link.fetched_once is not None:
            if link.file_name in link.fetched_once:
                return NO_SUCH_KEY
            link.fetched_once.add(link.file_name)
        return altered_file_response(behaviour, make_file(link.scenario, link.file_name), request)


def _issue(job_run: JobRun, file_name: str, now: float, ready_at: float, *, is_broken: bool) -> _IssuedLink:
    scenario = job_run.scenario
    token = blake2b(f"{job_run.service}/{scenario.id}/{file_name}/{now}".encode(), digest_size=8).hexdigest()
    path = f"/{CDN_ROOT}/{token}/{quote(scenario.id, safe='')}/{file_name}"
    if not scenario.has_signed_links:
        return _IssuedLink(
            token,
            path,
            _unsigned_query(job_run, file_name),
            now + scenario.link_reuse,
            now + scenario.link_lifetime,
            scenario,
            file_name,
            ready_at,
            is_broken,
        )
    sign = _cloudfront_query if job_run.service == "heygen" else _sigv4_query
    query = urlencode(sign(token, now, scenario.link_lifetime))
    expires_at = int(now) + int(scenario.link_lifetime)
    return _IssuedLink(
        token, path, query, now + scenario.link_reuse, expires_at, scenario, file_name, ready_at, is_broken
    )


def _unsigned_query(job_run: JobRun, file_name: str) -> str:
    """Return the query of an unsigned link: HeyGen's has a file name and no expiry [W], the others' is empty."""
    if job_run.service != "heygen":
        return ""
    title = quote(f"{job_run.scenario.title}.{file_name.rpartition('.')[2]}", safe="")
    return urlencode({"response-content-disposition": f"attachment; filename*=UTF-8''{title};"})


def _cloudfront_query(token: str, now: float, lifetime: float) -> dict[str, str]:
    """Return the query of CloudFront's canned policy: the expiry in whole seconds."""
    return {"Expires": str(int(now) + int(lifetime)), "Signature": f"{token}~{token}__", "Key-Pair-Id": "K2SIMULATED0"}


def _sigv4_query(token: str, now: float, lifetime: float) -> dict[str, str]:
    """Return the query of S3's Signature Version 4: the time of signing and the lifetime in seconds."""
    signed_at = datetime.fromtimestamp(int(now), UTC)
    return {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIASIMULATED/{signed_at:%Y%m%d}/us-east-1/s3/aws4_request",
        "X-Amz-Date": f"{signed_at:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(int(lifetime)),
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": token * 4,
    }

"""Requests and responses as values, independent of server and service."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from json import dumps
from typing import Any
from urllib.parse import parse_qs, unquote

Scope = Mapping[str, Any]
"""ASGI connection scope."""


class ConnectionCutError(ConnectionError):
    """Close the connection at this point, before the response or in its body."""


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """One request."""

    method: str
    path: str
    """Percent-encoded, as received."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    origin: str
    """Scheme, host and port of the simulator in the request."""
    request_id: str
    """Id of the request, which some services return."""
    body: str = ""
    """Body of a POST."""

    @classmethod
    def from_scope(cls, scope: Scope, request_id: str) -> "SimulatedRequest":
        """Return the request of an ASGI http scope."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, port = scope.get("server") or ("localhost", None)
        authority = headers.get("host") or (f"{host}:{port}" if port else host)
        return cls(
            method=scope["method"],
            path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            origin=f"{scope['scheme']}://{authority}",
            request_id=request_id,
        )

    @property
    def segments(self) -> tuple[str, ...]:
        """Segments of the path, decoded separately: an id may contain a slash."""
        return tuple(unquote(part) for part in self.path.split("/")[1:])

    def query_values(self, name: str) -> list[str]:
        """Return the decoded values of a query parameter."""
        return parse_qs(self.query).get(name, [])

    def bearer_token(self) -> str | None:
        """Return the token of an `Authorization: Bearer` header."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        return key.strip() or None if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class SimulatedResponse:
    """One response, without Date and Content-Length, which `app` adds."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut_after: int | None = None
    """Bytes of the body after which the connection closes; None: never; negative: before the response."""
    delay: float = 0.0
    """Delay before it is sent. Seconds of the client's clock."""

    def with_headers(self, **headers: str) -> "SimulatedResponse":
        """Return the response with more headers; underscores become hyphens."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


def json(payload: object, status: int = 200) -> SimulatedResponse:
    """Return a JSON response: compact, in UTF-8."""
    return SimulatedResponse(status, dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())


def xml_error(status: int, code: str, message: str) -> SimulatedResponse:
    """Return the error of a store in S3's format."""
    xml = '<?xml version="1.0" encoding="UTF-8"?>'
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return SimulatedResponse(status, f"{xml}{error}".encode(), "text/xml")


def gateway_error_page(status: int, title: str) -> SimulatedResponse:
    """Return the HTML of a gateway whose service does not respond [W]."""
    page = f"<html>\n<head><title>{title}</title></head>\n<body><center><h1>{title}</h1></center></body>\n</html>\n"
    return SimulatedResponse(status, page.encode(), "text/html")


def truncated(response: SimulatedResponse) -> SimulatedResponse:
    """Return the response with half of its body and a matching Content-Length [W]."""
    return replace(response, body=response.body[: len(response.body) // 2])


def http_date(instant: float) -> str:
    """Return an instant as an HTTP date (RFC 9110)."""
    return formatdate(instant, usegmt=True)

"""Requests and replies, without the server that carries them. No service's words stand here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from json import dumps
from typing import Any
from urllib.parse import parse_qs, unquote

Scope = Mapping[str, Any]
"""What an ASGI server says of a connection."""


class ConnectionCutError(ConnectionError):
    """The connection is to be closed here, before the reply or within its body."""


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """One request; its body, which no GET has, is not read."""

    method: str
    path: str
    """Percent-encoded, as it came."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    origin: str
    """Scheme, host and port under which the simulator was reached."""
    request_id: str
    """The request's id, which some services tell in their replies."""

    @classmethod
    def from_scope(cls, scope: Scope, request_id: str) -> "SimulatedRequest":
        """Read the scope of an ASGI http connection."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, port = scope.get("server") or ("localhost", None)
        here = headers.get("host") or (f"{host}:{port}" if port else host)
        return cls(
            method=scope["method"],
            path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            origin=f"{scope['scheme']}://{here}",
            request_id=request_id,
        )

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's parts, decoded one by one: an id may hold a slash."""
        return tuple(unquote(part) for part in self.path.split("/")[1:])

    def query_values(self, name: str) -> list[str]:
        """Return what the query says under `name`, decoded."""
        return parse_qs(self.query).get(name, [])

    def bearer_token(self) -> str | None:
        """Return the key of an Authorization header of the Bearer kind."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        return key.strip() or None if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class SimulatedResponse:
    """One reply, before the headers that every reply has: Date and Content-Length."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut_after: int | None = None
    """Bytes of the body after which the connection closes; None: never; below zero: before the reply."""
    delay: float = 0.0
    """Seconds of the clients' clock for which it is held back."""

    def with_headers(self, **headers: str) -> "SimulatedResponse":
        """Return the reply with more headers; an underscore stands for a hyphen."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


def json(payload: object, status: int = 200) -> SimulatedResponse:
    """Return `payload` as a service would write it: compact, in UTF-8."""
    return SimulatedResponse(status, dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())


def gateway_error_page(status: int, title: str) -> SimulatedResponse:
    """Return the HTML that a gateway answers with when the service behind it does not [W]."""
    page = f"<html>\n<head><title>{title}</title></head>\n<body><center><h1>{title}</h1></center></body>\n</html>\n"
    return SimulatedResponse(status, page.encode(), "text/html")


def truncated(response: SimulatedResponse) -> SimulatedResponse:
    """Return the reply with its body cut short, and its length telling nothing of that [W]."""
    return replace(response, body=response.body[: len(response.body) // 2])


def http_date(instant: float) -> str:
    """Return `instant` as RFC 9110 wants it."""
    return formatdate(instant, usegmt=True)

"""Responses as services really send them: waiting hints, damaged text, copies from a cache, ids as floats [W].

The body keeps its meaning: a client that reads such a response as it should, learns the same as from the documented
one.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from json import dumps, loads
from math import ceil
from typing import cast

from tui.simulator.http import SimulatedResponse, gateway_error_page, http_date

HINT_SECONDS = 2
"""Wait of each hint. Seconds of the client's clock."""
CACHE_AGE = 7200
"""Seconds for which a response was in a cache."""

WaitingHint = tuple[int, Callable[[float], dict[str, str]]]
"""HTTP status, and the headers for an instant of the service's clock."""

WAITING_HINTS: tuple[WaitingHint, ...] = (
    (200, lambda _now: {"retry_after": f"{HINT_SECONDS}"}),
    (409, lambda _now: {"retry_after": f"{HINT_SECONDS}, {HINT_SECONDS}"}),
    (425, lambda _now: {"retry_after": f"{HINT_SECONDS}s"}),
    (200, lambda _now: {"retry_after": f"{HINT_SECONDS}.0"}),
    (500, lambda _now: {"retry_after_ms": f"{HINT_SECONDS}000"}),
    (429, lambda now: {"retry_after": f"{ceil(now) + HINT_SECONDS}"}),
    (200, lambda now: {"retry_after": http_date(ceil(now) + HINT_SECONDS).replace("GMT", "UTC")}),
    (429, lambda now: {"x_rate_limit_reset": f"{ceil(now) + HINT_SECONDS}000"}),
    (202, lambda _now: {"retry_after": f"{HINT_SECONDS}"}),
    (429, lambda _now: {"ratelimit": f'"default";r=0;t={HINT_SECONDS}'}),
    (200, lambda _now: {"retry_after": "soon"}),
)
"""Hints of a `hint` scenario in turn."""

DAMAGE: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: _with_note(body, rb'"My \ud83d..."'),
    lambda body: _with_note(body, b'"na\xc3"'),
    lambda body: _with_note(body, b'"na\xefve"'),
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: _with_note(body, b'"one\n\ttwo\x01"'),
    lambda body: _with_note(body, b"[NaN, -Infinity]"),
)
"""Damage of a `damaged` scenario in turn."""

FLOAT_FORMATS = ("{}.0", "{:.12e}", "{}e0")
"""Spellings of a whole number in a `floats` scenario in turn: as Python, C and some JSON libraries write a float."""


def hinted(response: SimulatedResponse, poll_count: int, now: float) -> SimulatedResponse:
    """Return the response, or a gateway's error, with the next waiting hint."""
    status, headers = WAITING_HINTS[(poll_count - 1) % len(WAITING_HINTS)]
    is_error = status >= 400
    answer = gateway_error_page(status, "Try again later") if is_error else replace(response, status=status)
    return answer.with_headers(**headers(now))


def damaged(response: SimulatedResponse, poll_count: int) -> SimulatedResponse:
    """Return the response with the next damage beside its values."""
    return replace(response, body=DAMAGE[(poll_count - 1) % len(DAMAGE)](response.body))


def cached(response: SimulatedResponse) -> SimulatedResponse:
    """Return the response as a cache sends it: with an Age. Its Date is the origin's."""
    return response.with_headers(age=str(CACHE_AGE))


def with_floats(response: SimulatedResponse, poll_count: int) -> SimulatedResponse:
    """Return the response with each whole number of its JSON as a float, in the next spelling."""
    try:
        body = loads(response.body)
    except ValueError:
        return response
    spelling = FLOAT_FORMATS[(poll_count - 1) % len(FLOAT_FORMATS)]
    text = dumps(_with_marked_numbers(body), ensure_ascii=False, separators=(",", ":"))
    return replace(response, body=_MARKED.sub(lambda found: spelling.format(int(found[1])), text).encode())


_MARK = "\ue000"
"""Private-use character around the digits of a whole number."""
_MARKED = re.compile(f'"{_MARK}(-?[0-9]+){_MARK}"')


def _with_marked_numbers(value: object) -> object:
    if isinstance(value, dict):
        return {name: _with_marked_numbers(member) for name, member in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_with_marked_numbers(member) for member in cast("list[object]", value)]
    return f"{_MARK}{value}{_MARK}" if isinstance(value, int) and not isinstance(value, bool) else value


def _with_note(body: bytes, value: bytes) -> bytes:
    """Return a JSON object with one more member; other bodies as they are."""
    return b'{"note":' + value + b"," + body[1:] if body.startswith(b'{"') else body

"""Waiting hints in every form that services send; each row's ground is in the table of the services' reference."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.providers import wait_hints
from tui.providers.wait_hints import (
    MAX_WAIT,
    http_date,
    is_exhausted,
    reset_after,
    retry_after,
    service_time,
    unreadable,
)

AT = 1_792_000_000.0
"""Instant of the receipt by the local clock."""
DATE = "Thu, 15 Oct 2026 00:00:00 GMT"
DATE_AT = 1_792_022_400.0
DAY = 86400.0


def headers(**named: str) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}


@pytest.mark.parametrize(
    ("named", "seconds"),
    [
        ({"retry_after": "20"}, 20.0),
        ({"retry_after": " 0 "}, 0.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": "20s"}, 20.0),
        ({"retry_after": "20 Seconds"}, 20.0),
        ({"retry_after": '"20"'}, 20.0),
        ({"retry_after": "+20."}, 20.0),
        ({"retry_after_ms": "20000ms"}, 20.0),
        ({"retry_after": "15 Oct 2026 00:01:00 Z", "date": DATE}, 60.0),
        ({"retry_after": "2026-10-15T02:01:00.0000000+0200", "date": DATE}, 60.0),
        ({"retry_after": "-5"}, 0.0),
        ({"retry_after": "20, 20"}, 20.0),
        ({"retry_after": "20, 45"}, 45.0),
        ({"retry_after": "20s, 45s"}, 45.0),
        ({"retry_after": "100000"}, DAY),
        ({"retry_after": f"{DATE_AT + 15:.0f}", "date": DATE}, 15.0),
        ({"retry_after": f"{DATE_AT + 15:.0f}000", "date": DATE}, 15.0),
        ({"retry_after": f"{AT - 15:.0f}"}, 0.0),
        ({"retry_after": "1795737953"}, DAY),
        ({"retry_after": "Thu, 15 Oct 2026 00:01:00 GMT", "date": DATE}, 60.0),
        ({"retry_after": "Thu, 15 Oct 2026 00:01:00 GMT, Thu, 15 Oct 2026 00:02:00 GMT", "date": DATE}, 120.0),
        ({"retry_after": "Thu, 15 Oct 2026 00:01:00 UTC", "date": DATE}, 60.0),
        ({"retry_after": "Thu, 15 Oct 2026 00:01:00 -0000", "date": DATE}, 60.0),
        ({"retry_after": "Thursday, 15-Oct-26 00:01:00 GMT", "date": DATE}, 60.0),
        ({"retry_after": "Thu Oct 15 00:01:00 2026", "date": DATE}, 60.0),
        ({"retry_after": "2026-10-15T00:01:00Z", "date": DATE}, 60.0),
        ({"retry_after": "Thu, 15 Oct 2026 00:01:00 GMT"}, DATE_AT + 60 - AT),
        ({"retry_after": "Thu, 15 Oct 2026 02:01:00 GMT", "date": DATE, "age": "7200"}, 60.0),
        ({"retry_after": "Wed, 14 Oct 2026 00:00:00 GMT", "date": DATE}, 0.0),
        ({"retry_after_ms": "20000"}, 20.0),
        ({"retry_after_ms": "500", "retry_after": "1"}, 0.5),
        ({"retry_after_ms": "soon", "retry_after": "1"}, 1.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "20, soon"}, None),
        ({"retry_after": "9" * 400}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "٣"}, None),
        ({"retry_after": "Thu, 99 Oct 2026 00:01:00 GMT"}, None),
        ({"retry_after": "Thu, 15 Foo 2026 00:01:00 GMT"}, None),
        ({"retry_after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_form(named: dict[str, str], seconds: float | None):
    assert retry_after(headers(**named), AT) == seconds


@pytest.mark.parametrize(
    ("named", "seconds"),
    [
        ({"x_ratelimit_reset": "12"}, 12.0),
        ({"x_rate_limit_reset": "12"}, 12.0),
        ({"x_ratelimit_reset": "999999"}, DAY),
        ({"x_ratelimit_reset": f"{DATE_AT + 7:.0f}", "date": DATE}, 7.0),
        ({"x_ratelimit_reset": f"{DATE_AT + 7:.0f}000", "date": DATE}, 7.0),
        ({"x_rate_limit_reset": f"{DATE_AT + 7:.0f}", "date": DATE}, 7.0),
        ({"x_ratelimit_reset": "2026-10-15T00:00:07Z", "date": DATE}, 7.0),
        ({"x_ratelimit_reset": f"{AT + 9:.0f}"}, 9.0),
        ({"x_ratelimit_reset_after": "1.25"}, 1.25),
        ({"x_rate_limit_reset_after": "20"}, 20.0),
        ({"ratelimit_reset": "20"}, 20.0),
        ({"ratelimit": "limit=10, remaining=0, reset=20"}, 20.0),
        ({"ratelimit": "limit=10, remaining=3, reset=20"}, None),
        ({"ratelimit": '"default";r=0;t=20'}, 20.0),
        ({"ratelimit": '"minute";r=0;t=20, "day";r=0;t=900, "other";r=3;t=5000'}, 900.0),
        ({"ratelimit": '"default";r=3;t=20'}, None),
        ({"ratelimit": "none"}, None),
        ({"x_ratelimit_reset": "1000000"}, None),
        ({"x_ratelimit_reset": "999999999"}, None),
        ({"x_ratelimit_reset": "x"}, None),
    ],
)
def test_the_reset_of_a_rate_limit_is_read_in_every_form(named: dict[str, str], seconds: float | None):
    assert reset_after(headers(**named), AT) == seconds
    assert is_exhausted(headers(**named)) == ("ratelimit" in named and seconds is not None)


def test_unreadable_hints_are_named():
    assert unreadable(headers(retry_after="soon", retry_after_ms="1", x_ratelimit_reset="1000000", date="x")) == (
        "retry-after",
        "x-ratelimit-reset",
    )
    assert unreadable(headers(retry_after="", ratelimit='"default";r=3;t=20', x_rate_limit_reset="7")) == ()


def test_the_services_present_is_date_plus_age():
    assert service_time(headers(date=DATE)) == DATE_AT
    assert service_time(headers(date=DATE, age="7200")) == DATE_AT + 7200
    assert service_time(headers(date=DATE, age="7200, 60")) == service_time(headers(date=DATE, age="7200.0"))
    assert service_time(headers(date=DATE, age="7200.0")) == DATE_AT + 7200
    assert service_time(headers(date=DATE, age="-7200")) == service_time(headers(date=DATE, age="x")) == DATE_AT
    assert service_time(headers(age="7200")) is None


dates = st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))
numbers = st.integers() | st.floats() | st.floats(0, 4e12)
hints = (
    st.text(max_size=300)
    | dates
    | numbers.map(str)
    | numbers.map("{}s".format)
    | st.tuples(numbers, numbers).map(lambda pair: f"{pair[0]}, {pair[1]}")
    | st.builds('"a";r={};t={}'.format, st.integers(0, 2), st.integers())
)
names = st.sampled_from(["date", "age", *wait_hints.READERS])


@given(st.dictionaries(names, hints), st.floats(0, 4e9))
def test_any_headers_give_a_wait_within_a_day_or_none(found: dict[str, str], at: float):
    for wait in (retry_after(found, at), reset_after(found, at)):
        assert wait is None or 0 <= wait <= MAX_WAIT
    assert set(unreadable(found)) <= set(found)
    present = service_time(found)
    assert present is None or math.isfinite(present)


@given(st.text())
def test_any_text_is_an_instant_or_none(text: str):
    instant = http_date(text)
    assert instant is None or math.isfinite(instant)

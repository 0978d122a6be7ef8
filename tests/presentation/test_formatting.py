import math
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.presentation import formatting


@pytest.mark.parametrize(
    ("seconds", "left", "passed", "length"),
    [
        (0, "0s", "0s", "0s"),
        (38, "38s", "38s", "38s"),
        (59.5, "1m", "59s", "59s"),
        (432, "7m", "7m", "7m12s"),
        (3599, "59m", "59m", "59m59s"),
        (7500, "2h05m", "2h", "2h05m"),
        (36000, "10h", "10h", "10h00m"),
        (18 * 3600 + 420, "18h", "18h", "18h07m"),
        (86400, "1d00h", "1d", "1d00h"),
        (5 * 86400 + 4 * 3600, "5d04h", "5d", "5d04h"),
        (120 * 86400, "120d", "120d", "120d"),
        (1e12, "99999d", "99999d", "99999d"),
        (math.inf, "99999d", "99999d", "99999d"),
        (-5, "0s", "0s", "0s"),
    ],
)
def test_times_are_short(seconds: float, left: str, passed: str, length: str):
    assert (formatting.duration(seconds), formatting.age(seconds), formatting.span(seconds)) == (left, passed, length)


@given(st.floats(-1e12, 1e12))
def test_no_time_is_wider_than_six_cells_or_negative(seconds: float):
    for label in (formatting.duration(seconds), formatting.age(seconds), formatting.span(seconds)):
        assert 2 <= len(label) <= 6
        assert "-" not in label


TIMES = st.floats(-1e5, 1e7, allow_subnormal=False) | st.integers(-10, 10_000_000).map(float)


@given(TIMES, st.floats(0, 0.999))
def test_a_duration_is_unchanged_until_its_next_change(left: float, part: float):
    wait = formatting.next_change(left, "duration")
    assert wait > 0
    if wait == math.inf:
        assert formatting.duration(left) == formatting.duration(left - 1e9) == "0s"
    else:
        assert formatting.duration(left - wait * part) == formatting.duration(left)
        assert formatting.duration(left - wait - 1e-6) != formatting.duration(left)


@given(TIMES, st.floats(0, 0.999))
def test_an_age_is_unchanged_until_its_next_change(passed: float, part: float):
    wait = formatting.next_change(passed, "age")
    assert wait > 0
    assert formatting.age(passed + wait * part) == formatting.age(passed)
    assert formatting.age(passed + wait + 1e-6) != formatting.age(passed)


def test_a_final_text_never_changes():
    assert formatting.next_change(0, "duration") == math.inf
    assert formatting.next_change(1e13, "age") == math.inf


@given(st.integers(1, 10_000_000))
def test_whole_seconds_change_exactly_at_the_predicted_instant(left: int):
    assert formatting.duration(left - formatting.next_change(left, "duration")) != formatting.duration(left)
    assert formatting.age(left + formatting.next_change(left, "age")) != formatting.age(left)


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


def test_an_instant_is_as_short_as_now_allows():
    now = at(2026, 11, 21, 18, 0)
    assert formatting.instant(at(2026, 11, 21, 14, 5), UTC, now) == "14:05"
    assert formatting.instant(at(2026, 11, 20, 14, 5), UTC, now) == "20 Nov 14:05"
    assert formatting.instant(at(2025, 11, 21, 14, 5), UTC, now) == "21 Nov 2025"
    assert formatting.instant(at(2026, 11, 21, 23, 5), timezone(timedelta(hours=5)), now) == "22 Nov 04:05"


def test_a_clock_shows_seconds_on_request_only():
    assert formatting.clock(at(2026, 11, 21, 14, 5, 9), UTC) == "14:05"
    assert formatting.clock(at(2026, 11, 21, 14, 5, 9), UTC, seconds=True) == "14:05:09"


def test_iso_times_drop_milliseconds_and_are_utc():
    assert formatting.iso_time(at(2026, 11, 21, 14, 5, 9) + 0.999) == "2026-11-21T14:05:09Z"
    assert formatting.iso_time(-0.5) == "1969-12-31T23:59:59Z"


@given(st.floats(allow_nan=False))
def test_every_instant_can_be_shown(moment: float):
    assert formatting.iso_time(moment).endswith("Z")
    assert formatting.instant(moment, timezone(timedelta(hours=14)), 0)


@pytest.mark.parametrize(
    ("fraction", "unicode", "ascii_only"),
    [
        (0, "········", "........"),
        (0.5, "████····", "####...."),
        (0.62, "████▉···", "####...."),
        (0.01, "········", "........"),
        (0.02, "▏·······", "........"),
        (1, "████████", "########"),
        (7, "████████", "########"),
        (-1, "········", "........"),
        (math.nan, "········", "........"),
    ],
)
def test_a_bar_fills_in_eighths(fraction: float, unicode: str, ascii_only: str):
    assert formatting.bar(fraction, 8) == unicode
    assert formatting.bar(fraction, 8, ascii_only=True) == ascii_only


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 40))
def test_a_bar_has_its_width_and_never_shrinks_with_more_progress(one: float, other: float, cells: int):
    low, high = formatting.bar(min(one, other), cells), formatting.bar(max(one, other), cells)
    assert len(low) == len(high) == cells
    assert low.count("·") >= high.count("·")


def test_a_sparkline_goes_from_the_lowest_to_the_highest():
    assert formatting.sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"
    assert formatting.sparkline([0, 1, 2], ascii_only=True) == "_-^"
    assert formatting.sparkline([5.0]) == "▁"
    assert formatting.sparkline([]) == ""


def test_counts_are_drawn_in_proportion_and_none_is_a_dot():
    assert formatting.count_line([0, 1, 4, 8]) == "·▁▄█"
    assert formatting.count_line([3]) == "█"
    assert formatting.count_line([1, 100]) == "▁█"
    assert formatting.count_line([1, 2], most=8) == "▁▂"
    assert formatting.count_line([0, 1, 6], ascii_only=True) == ".:#"
    assert formatting.count_line([0, 0]) == "··"


def test_days_begin_at_midnight_also_when_the_clocks_change():
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 26, 14, tzinfo=zone).timestamp()
    days = formatting.midnights(zone, now, range(0, -3, -1))
    assert [datetime.fromtimestamp(day, zone).isoformat(" ", "hours")[:13] for day in days] == [
        "2026-10-26 00",
        "2026-10-25 00",
        "2026-10-24 00",
    ]
    assert days[0] - days[1] == 25 * 3600
    assert formatting.midnights(zone, now, [1]) == (days[0] + 86400,)
    assert (formatting.day(now, zone), formatting.date_and_time(now, zone)) == ("Mon 26 Oct", "2026-10-26 14:00")


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns")])
@given(st.floats(1_700_000_000, 1_900_000_000))
def test_an_instant_changes_its_form_at_midnight(zone: tzinfo, now: float):
    ends = formatting.next_midnight(zone, now)
    assert 0 < ends - now <= 25 * 3600
    assert formatting.instant(now, zone, ends - 0.001) == formatting.instant(now, zone, now)
    assert formatting.instant(now, zone, ends) != formatting.instant(now, zone, now)

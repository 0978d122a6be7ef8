"""Cells and JSON of a row of the fleet."""

import pytest

from tests.support.hostile_text import HOSTILE_TEXTS
from tui.domain.fleet import AccountSummary, FleetRow, KindSummary
from tui.presentation import fleet
from tui.presentation.columns import Tone


def row(account="a", kind="", active=0, jobs=None, requests=None) -> FleetRow:
    return FleetRow(
        account=account, kind=kind, active=active, jobs=jobs or KindSummary(), requests=requests or AccountSummary()
    )


def cells(shown: FleetRow, *, ascii_only: bool = False) -> dict:
    return {each.title: each.cell(shown, ascii_only) for each in (*fleet.UPPER_COLUMNS, *fleet.LOWER_COLUMNS)}


@pytest.mark.parametrize(
    ("median", "before", "text", "tone"),
    [
        (None, None, "·", Tone.QUIET),
        (492.0, None, "8m12s", Tone.PLAIN),
        (492.0, 490.0, "8m12s =", Tone.PLAIN),
        (492.0, 440.0, "8m12s +12%", Tone.PLAIN),
        (492.0, 300.0, "8m12s +64%", Tone.WARNING),
        (492.0, 984.0, "8m12s -50%", Tone.PLAIN),
        (492.0, 1.0, "8m12s +999%", Tone.WARNING),
    ],
)
def test_a_duration_has_its_change_against_the_week_before(median, before, text, tone):
    cell = cells(row(jobs=KindSummary(median=median, median_before=before)))["P50, WEEK"]
    assert (cell.text, cell.tone) == (text, tone)


def test_more_failures_than_usual_are_marked():
    jobs = KindSummary(done_today=12, usual_done=9.25, failed_today=3, usual_failed=0.5, failure_rate=0.2)
    shown = cells(row(jobs=jobs))
    assert (shown["DONE/USUAL"].text, shown["DONE/USUAL"].tone) == ("12/9.2", Tone.PLAIN)
    assert (shown["FAIL/USUAL"].text, shown["FAIL/USUAL"].tone) == ("3/0.5", Tone.FAILED)
    assert (shown["FAIL%"].text, shown["FAIL%"].tone) == ("20%", Tone.FAILED)


def test_limits_are_bars_and_a_nearly_used_day_is_a_warning():
    requests = AccountSummary(minute_count=18, per_minute=36, day_count=950, per_day=1000, latency=0.21)
    shown = cells(row(requests=requests))
    assert shown["MINUTE"].text == "██▌·· 18/36"
    assert (shown["DAY"].text, shown["DAY"].tone) == ("████▊ 950/1.0k", Tone.WARNING)
    assert shown["LATENCY"].text == "210 ms"
    assert cells(row(requests=requests), ascii_only=True)["MINUTE"].text == "##... 18/36"


@pytest.mark.parametrize("name", ["title-osc", "c1", "bidi", "nulls"])
def test_control_characters_of_a_kind_are_removed(name):
    text = cells(row(kind=HOSTILE_TEXTS[name]))["ACCOUNT"].text
    assert all(letter.isprintable() for letter in text)

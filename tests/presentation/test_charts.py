"""Histogram of durations on a logarithmic axis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.presentation.charts import histogram

seconds = st.floats(0, 1e7)


@given(st.lists(seconds, min_size=1, max_size=50), st.integers(1, 80), st.lists(seconds, max_size=3))
def test_each_duration_is_in_one_cell_and_longer_ones_further_right(durations, cells, others):
    found = histogram(durations, cells, others)
    assert sum(found.counts) == len(durations)
    assert len(found.counts) == cells
    places = [found.cell_of(each) for each in sorted([*durations, *others])]
    assert places == sorted(places)
    for ascii_only in (True, False):
        rows = found.rows(3, ascii_only=ascii_only)
        assert [len(row) for row in rows] == [cells] * 3
        for cell, count in enumerate(found.counts):
            assert any(row[cell] != " " for row in rows) is bool(count)
        assert not ascii_only or "".join(rows).isascii()
    assert len(found.axis()) <= cells


def test_a_cell_with_half_of_the_most_fills_half_of_the_rows():
    rows = histogram([60.0] * 8 + [600.0] * 4, 20).rows(2)
    assert [row.split() for row in rows] == [["█"], ["█", "█"]]


@pytest.mark.parametrize(
    ("durations", "labels"), [([60, 600], ["1m", "2m", "5m"]), ([5, 6], ["5s"]), ([1000], []), ([0, 1e6], None)]
)
def test_an_axis_names_durations_where_they_are(durations, labels):
    found = histogram(durations, 24)
    axis = found.axis()
    assert labels is None or axis.split() == labels
    for label, seconds in {"5s": 5, "1m": 60, "5m": 300}.items():
        if label in axis.split():
            assert axis[found.cell_of(seconds) :].startswith(label)

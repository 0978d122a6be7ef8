"""No shape of ids from a provider file keeps the program busy."""

import re
import sys
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.domain.job_ids import MAX_MATCHED_LENGTH
from tui.providers.fields import Regex
from tui.providers.loader import provider_registry
from tui.providers.regex_safety import MAX_BACKTRACKS, max_backtracks

ENDLESS = [
    r"^(a+)+$",
    r"^(a|a)*$",
    r"^(a*)*b",
    r"^(?:a|aa)+$",
    r"^(?P<x>\w+\s?)*$",
    r"(x+x+)+y",
    r"^" + "a?" * 40 + "a" * 40,
    r"^" + "(a|a)" * 40 + "b",
    r"^((a{1,9}){1,9}){1,9}b",
    r"^.*.*.*.*.*x",
    r"^([a-z]{1,40}){20}$",
    r"^(?=(a+)+$)",
]
FINE = [
    r"^[0-9a-f]{32}(-[A-Za-z]{2,3}([_-][A-Za-z-]+)?)?$",
    r"^doc_",
    r"^\w+-\w+-\w+$",
    r"^(en|fr|de)-[0-9]{1,9}$",
    r"^([0-9a-f]{4}-){3}[0-9a-f]{4}$",
    r"^[]a-z()|+*]+$",
    r"(?i)^job[-_]\d+$",
    r"^a{3}\{\+\(x$",
]


@contextmanager
def counted():
    """The calls that are made within it."""
    steps = [0]

    def count(_frame, event, _argument):
        steps[0] += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield steps
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("expression", ENDLESS)
def test_an_expression_that_could_take_for_ever_is_refused_in_few_steps(expression):
    with counted() as steps, pytest.raises(ValueError, match="may take exponential time"):
        Regex.parse(expression)
    assert steps[0] < 100_000


@pytest.mark.parametrize("expression", FINE)
def test_an_ordinary_shape_is_taken(expression):
    assert Regex.parse(expression) == expression


def test_the_shapes_of_the_known_services_are_far_from_the_bound():
    assert (
        max(
            max_backtracks(shape, MAX_MATCHED_LENGTH)
            for each in provider_registry().values()
            for shape in each.id_patterns
        )
        < MAX_BACKTRACKS / 1000
    )


@given(
    st.recursive(
        st.sampled_from(["a", "b", "[ab]", ".", "a?", "a+", "a*", "a{1,3}", "b{2}", ".*"]),
        lambda inner: (
            st.builds("".join, st.lists(inner, min_size=1, max_size=4))
            | st.builds("({}|{}){}".format, inner, inner, st.sampled_from(["", "?", "{2}", "+", "*"]))
        ),
        max_leaves=12,
    ),
    st.text("ab", max_size=MAX_MATCHED_LENGTH - 1),
)
def test_whatever_is_taken_has_few_ways_and_ends(expression, text):
    try:
        shape = re.compile(Regex.parse(f"^{expression}$"))
    except ValueError:
        return
    assert max_backtracks(shape.pattern, MAX_MATCHED_LENGTH) <= MAX_BACKTRACKS
    shape.search(f"{text}!")  # what does not end fails by the test's time-out


def test_the_worst_that_is_taken_ends():
    shape = re.compile(Regex.parse("^a*a*a*b"))
    assert shape.search("a" * MAX_MATCHED_LENGTH) is None

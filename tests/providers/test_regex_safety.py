"""No id pattern of a provider file blocks the program."""

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

EXPONENTIAL = [
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
ORDINARY = [
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
    """Count the function calls in the block."""
    steps = [0]

    def count(_frame, event, _argument):
        steps[0] += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield steps
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("expression", EXPONENTIAL)
def test_an_exponential_expression_is_rejected_in_few_steps(expression):
    with counted() as steps, pytest.raises(ValueError, match="may take exponential time"):
        Regex.parse(expression)
    assert steps[0] < 100_000


@pytest.mark.parametrize("expression", ORDINARY)
def test_an_ordinary_expression_is_accepted(expression):
    assert Regex.parse(expression) == expression


def test_the_id_patterns_of_the_built_in_providers_are_far_below_the_bound():
    assert (
        max(
            max_backtracks(pattern, MAX_MATCHED_LENGTH)
            for each in provider_registry().values()
            for pattern in each.id_patterns
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
def test_an_accepted_expression_is_below_the_bound_and_terminates(expression, text):
    try:
        pattern = re.compile(Regex.parse(f"^{expression}$"))
    except ValueError:
        return
    assert max_backtracks(pattern.pattern, MAX_MATCHED_LENGTH) <= MAX_BACKTRACKS
    pattern.search(f"{text}!")  # what does not end fails by the test's time-out


def test_the_worst_accepted_expression_terminates():
    pattern = re.compile(Regex.parse("^a*a*a*b"))
    assert pattern.search("a" * MAX_MATCHED_LENGTH) is None

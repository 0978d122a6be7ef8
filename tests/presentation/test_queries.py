import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.reference_model import expected_rows, view_counts
from tests.support.strategies import NOW, WEEK, event_sequences, few_examples
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState, reduce
from tui.domain.models import Job, Link, LinkKind, Phase, Report
from tui.presentation.queries import SORTS, View, display_name, views

DAY = 86400.0
CONTEXT = EvaluationContext(now=NOW, providers={"emea": "heygen"})


def job(name, phase=Phase.RUNNING, account="heygen", since=NOW, **more):
    mine = {key: more.pop(key) for key in ("label", "tags", "note", "kind", "archived") if key in more}
    return JobState(job=Job(account=account, id=name, **mine), phase=phase, phase_since=since, **more)


def link(until, exact=True):
    return Link(LinkKind.VIDEO, "https://cdn.test/1", NOW - WEEK, until, exact)


@st.composite
def boards(draw):
    states = []
    for number, events in enumerate(draw(st.lists(event_sequences(4), max_size=6))):
        state = JobState(job=Job(account=draw(st.sampled_from("ab")), id=str(number)))
        for _, event in events:
            state, _ = reduce(state, event)
        mine = Job(account=state.job.account, id=str(number), archived=state.job.archived)
        states.append(JobState(**{**{f: getattr(state, f) for f in state.__struct_fields__}, "job": mine}))
    return states


@few_examples
@given(boards(), st.floats(NOW, NOW + 3e6))
def test_active_done_and_problems_sum_to_all_and_expiring_lies_within_done(states, now):
    context = EvaluationContext(now=now)
    found = view_counts(states, context)
    assert found[View.ACTIVE] + found[View.DONE] + found[View.PROBLEMS] == found[View.ALL]
    assert found[View.ALL] + found[View.ARCHIVE] == len(states)
    for state in states:
        shown = views(state, context)
        assert View.EXPIRING not in shown or View.DONE in shown
        assert View.ARCHIVE not in shown or len(shown) == 1
    for view in View:
        assert len(expected_rows(states, context, view=view)) == found[view]


@few_examples
@given(boards(), st.sampled_from(list(SORTS)), st.booleans(), st.randoms())
def test_a_sort_does_not_depend_on_the_order_of_arrival(states, sort, descending, random):
    first = expected_rows(states, CONTEXT, sort=sort, descending=descending)
    assert sorted(first) == sorted(expected_rows(states, CONTEXT))
    if sort not in {"watchlist", "attention"}:
        random.shuffle(states)
        assert expected_rows(states, CONTEXT, sort=sort, descending=descending) == first


def ids(states, **settings):
    return [ref.id for ref in expected_rows(states, CONTEXT, **settings)]


@pytest.mark.parametrize("sort", sorted(SORTS.keys() - {"watchlist", "attention", "id"}))
@pytest.mark.parametrize("descending", [False, True])
def test_ties_are_sorted_by_ref_in_both_directions(sort, descending):
    same = [job(each, label="same") for each in "cab"]
    assert ids(same, sort=sort, descending=descending) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        ("watchlist", ["r", "d", "f", "q"]),
        ("attention", ["f", "d", "r", "q"]),
        ("status", ["r", "q", "f", "d"]),
        ("name", ["d", "f", "q", "r"]),
        ("link", ["d", "f", "q", "r"]),
        ("next", ["q", "r", "d", "f"]),
        ("time", ["q", "r", "d", "f"]),
        ("progress", ["r", "d", "f", "q"]),
        ("lang", ["f", "d", "q", "r"]),
    ],
)
def test_each_column_sorts_by_what_it_means(sort, wanted):
    states = [
        job(
            "r",
            label="Zürich",
            next_poll_at=NOW + 9,
            report=Report(phase=None, raw_status="x", progress=0.5),
            since=NOW - 10,
        ),
        job("d", Phase.DONE, label="aa", links=(link(NOW + 5),), since=NOW - 40),
        job("f", Phase.FAILED, label="Ab", report=Report(phase=None, raw_status="x", language="fr"), since=NOW - 50),
        job("q", Phase.QUEUED, label="ac", next_poll_at=NOW + 1, since=NOW - 1),
    ]
    assert ids(states, sort=sort) == wanted


def test_a_name_is_the_label_else_the_title_else_the_id():
    report = Report(phase=None, raw_status="x", title="Title")
    assert [
        display_name(job("i", label="L", report=report)),
        display_name(job("i", report=report)),
        display_name(job("i")),
    ] == [
        "L",
        "Title",
        "i",
    ]


@pytest.mark.parametrize(
    ("state", "archived"),
    [
        (job("a", archived=True), True),
        (job("a", Phase.DONE, since=NOW - 14 * DAY), True),
        (job("a", Phase.DONE, since=NOW - 14 * DAY + 1), False),
        (job("a", Phase.DONE, since=NOW - 99 * DAY, links=(link(NOW + 1),)), False),
        (job("a", Phase.DONE, since=NOW - 99 * DAY, links=(link(None),)), False),
        (job("a", Phase.DONE, since=NOW - 99 * DAY, links=(link(NOW - 1),)), True),
        (job("a", Phase.FAILED, since=NOW - 15 * DAY), True),
        (job("a", since=NOW - 99 * DAY), False),
    ],
)
def test_a_job_that_ended_long_ago_without_a_valid_link_is_archived(state, archived):
    assert (View.ARCHIVE in views(state, CONTEXT)) is archived

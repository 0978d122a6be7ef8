import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.reference_model import expected_rows
from tests.support.strategies import NOW, few_examples
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Fault, FaultKind, Job, Link, LinkKind, Phase, Report
from tui.presentation.filters import grammar, vocabulary
from tui.presentation.filters.fields import FIELDS, NumberField, TextField, search_text
from tui.presentation.filters.grammar import parse
from tui.presentation.filters.model import Term

CONTEXT = EvaluationContext(now=NOW, providers={"emea": "heygen"})
HOUR = 3600.0


def job(name, phase=Phase.RUNNING, account="heygen", since=NOW, **more):
    mine = {key: more.pop(key) for key in ("label", "tags", "note", "kind", "added") if key in more}
    return JobState(job=Job(account=account, id=name, **mine), phase=phase, phase_since=since, **more)


def link(until):
    return Link(LinkKind.VIDEO, "https://cdn.test/1", NOW - HOUR, until, expiry_is_exact=True)


STATES = [
    job(
        "7544-ur",
        label="Spring launch",
        tags=("launch", "q3"),
        note="legal waits",
        added=NOW - 3 * HOUR,
        next_poll_at=NOW + 60,
        poll_count=7,
        report=Report(phase=None, raw_status="lip_syncing", progress=0.25),
    ),
    job(
        "doc_1",
        Phase.FAILED,
        "emea",
        since=NOW - 5 * HOUR,
        first_polled_at=NOW - 6 * HOUR,
        report=Report(phase=None, raw_status="x", title="Contract: draft", language="fr", message="Audio missing"),
    ),
    job(
        "a:b",
        Phase.TIMED_OUT,
        "camb",
        kind="dub",
        fault=Fault(FaultKind.TLS, "certificate expired"),
        report=Report(phase=None, raw_status="x", language="Urdu (Pakistan)"),
    ),
    job(
        "d",
        Phase.DONE,
        "konpro",
        links=(link(NOW + 60),),
        report=Report(phase=None, raw_status="x", language="zh-Hans"),
    ),
]
ALL = ["7544-ur", "doc_1", "a:b", "d"]
VALUES = vocabulary.of_jobs(STATES, CONTEXT, lambda: ("emea", "legal"))


def ids(text):
    return [ref.id for ref in expected_rows(STATES, CONTEXT, wanted=parse(text, VALUES).filter)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ALL),
        ("launch", ["7544-ur"]),
        ("LEGAL", ["7544-ur"]),
        ("7544", ["7544-ur"]),
        ('"spring l"', ["7544-ur"]),
        ('"spring l', ["7544-ur"]),
        ("spring launch", ["7544-ur"]),
        ("spring contract", []),
        ("heygen", ["7544-ur", "doc_1"]),  # account and provider
        ("failed", ["doc_1"]),
        ("timed", ["a:b"]),
        ("lip_sync", ["7544-ur"]),  # status of the service
        ("audio", ["doc_1"]),  # message of the service
        ("certificate", ["a:b"]),  # message of an error
        ("french", ["doc_1"]),
        ("pakistan", ["a:b"]),
        ("ur-pk", ["a:b"]),
        ("simplified", ["d"]),
        ("q3", ["7544-ur"]),
        ("heygen:7544", ["7544-ur"]),
        ("tag:la", ["7544-ur"]),
        ("tag=la", []),
        ("tag=launch", ["7544-ur"]),
        ("-tag:launch", ["doc_1", "a:b", "d"]),
        ("phase:fail", ["doc_1"]),
        ("phase:timed_out", ["a:b"]),
        ("phase:timed-out", ["a:b"]),
        ('phase:"timed o"', ["a:b"]),
        ("Provider:HEYGEN", ["7544-ur", "doc_1"]),
        ("account:emea", ["doc_1"]),
        ("account:legal", []),
        ("provider:heygen phase:failed -tag:test contract", ["doc_1"]),
        ("lang:fr", ["doc_1"]),
        ("language:urdu", ["a:b"]),
        ("lang:ur-pk", ["a:b"]),
        ("kind:dub", ["a:b"]),
        ("name:draft", ["doc_1"]),
        ("note:waits", ["7544-ur"]),
        ("message:missing", ["doc_1"]),
        ("status:lip", ["7544-ur"]),
        ("id:doc", ["doc_1"]),
        ("flag:exp", ["d"]),
        ("-flag:expiring -phase:failed", ["7544-ur", "a:b"]),
        ("phase:failed|timed_out", ["doc_1", "a:b"]),
        ("phase:failed | launch", ["doc_1"]),  # a word without a field has the one before it
        ("phase:failed|name:launch", ["7544-ur", "doc_1"]),
        ("spring|contract", ["7544-ur", "doc_1"]),
        ("spring | contract -legal", ["doc_1"]),
        ("-phase:failed|timed_out", ["7544-ur", "d"]),
        ("age>2h", ["7544-ur", "doc_1"]),
        ("age<=3h", ["7544-ur"]),
        ("age>1d", []),
        ("time>4h59m", ["doc_1"]),
        ("total<2h", ["doc_1"]),
        ("next<2m", ["7544-ur"]),
        ("expires<1d", ["d"]),
        ("-expires<1d", ["7544-ur", "doc_1", "a:b"]),
        ("progress<50", ["7544-ur"]),
        ("progress>=50%", []),
        ("polls=7", ["7544-ur"]),
        ('"a:b"', ["a:b"]),
        ("camb:a:b", ["a:b"]),
        ("-", ["7544-ur", "a:b", "d"]),
        ("phase:", ALL),
        ("age>2", ALL),
    ],
)
def test_a_filter_shows_the_matching_jobs(text, wanted):
    assert ids(text) == wanted


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("foo:bar", "no field foo; did you mean flag?"),
        ("phas:failed", "no field phas; did you mean phase?"),
        ("wait>2h", "no field wait; use account, provider, phase, status, name, …"),
        ("phase:faild", "no phase faild; did you mean failed?"),
        ("phase=fail", "no phase fail; did you mean failed?"),
        ("phase:failed | launch", "no phase launch; use new, queued, running, done, failed, …"),
        ("flag:stall2", "no flag stall2; did you mean stalled?"),
        ("account:heygn", "no account heygn; did you mean heygen?"),
        ("account:zz", "no account zz; use camb, emea, heygen, konpro, legal"),
        ("provider:zz", "no provider zz; use camb, heygen, konpro, legal"),
        ("phase>new", "phase has no order: phase:new"),
        ("age:3h", "age is compared: age>2h or age<2h"),
        ("progress:3", "progress is compared: progress>50 or progress<50"),
        ("age>soon", "soon is not a duration: use 90s, 30m, 24h or 7d"),
        ("polls>x", "x is not a number: polls>3"),
        ("a|-b", "“-” excludes a whole term: write it first, -a|…"),
    ],
)
def test_a_wrong_field_or_value_is_named_with_the_nearest_right_one(text, error):
    assert parse(text, VALUES).error == error


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("phase:", "phase: needs a value"),
        ("age>", "age> needs a value, such as 2h"),
        ("age>2", "age>2 needs a unit: s, m, h or d"),
        ("age:", "age is compared: age>2h or age<2h"),
        ("a|", "expected a term on both sides of “|”"),
        ("|a", "expected a term on both sides of “|”"),
        ('"spring', "no closing quotation mark"),
        ('""', "expected text in the quotation marks"),
    ],
)
def test_a_term_that_is_being_typed_is_incomplete_and_no_error(text, problem):
    parsed = parse(text, VALUES)
    assert parsed.error == ""
    assert [each.text for each in parsed.problems] == [problem]


def test_accounts_and_providers_are_checked_only_with_a_vocabulary():
    assert parse("account:zz provider:zz").problems == ()


def test_values_that_no_job_has_are_named_without_being_an_error():
    parsed = parse("tag:lanch lang:klingon kind:dub -tag:nope", VALUES)
    assert parsed.problems == ()
    assert list(grammar.unused_values(parsed.filter, VALUES)) == [
        "no job has tag lanch; did you mean launch?",
        "no job has lang klingon",
    ]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("1d12h", 129600), ("2H", 7200)])
def test_a_time_has_units_in_descending_order(text, seconds):
    assert grammar.parse_duration(text) == seconds


def test_the_meaning_of_a_field_names_all_its_values():
    fields = [field for field in FIELDS.values() if isinstance(field, TextField)]
    assert [value for field in fields for value in field.choices if value not in field.meaning] == []


SIGNS = st.sampled_from([*FIELDS, *":-|<>='\"", "\\", "x", " ", "failed", "2h", "50", "heygen"])
TEXTS = st.text(max_size=30) | st.lists(SIGNS).map("".join)


@given(TEXTS)
def test_any_text_is_a_filter_or_has_named_problems(text):
    for values in (None, VALUES):
        parsed = parse(text, values)
        assert set(ids(text)) <= set(ALL)
        assert all(problem.text for problem in parsed.problems)
        if not text.strip():
            assert parsed == grammar.ParsedFilter(parsed.filter)


def _written(name):
    field = FIELDS[name]
    if isinstance(field, NumberField):
        signs, quote = st.sampled_from([">", "<", ">=", "<="]), ""
        values = ["0", "50"] if field.unit in {"percent", "count"} else ["1s", "2h", "9d"]
    else:
        signs, quote = st.sampled_from(":="), '"'
        values = sorted(field.choices or VALUES(name) or ("a", "launch", "x"))
    return st.builds(lambda sign, value: f"{name}{sign}{quote}{value}{quote}", signs, st.sampled_from(values))


FREE = st.sampled_from(["a", "launch", '"spring l"', "heygen", "done", "'x y'", "7", "é"])
ALTERNATIVES = FREE | st.sampled_from([*FIELDS]).flatmap(_written)
WORDS = st.lists(ALTERNATIVES, min_size=1, max_size=3)
TERMS = st.builds(lambda sign, words: sign + "|".join(words), st.sampled_from(["", "-"]), WORDS)


@few_examples
@given(TERMS, TERMS)
def test_two_terms_show_the_intersection(a, b):
    assert ids(f"{a} {b}") == [each for each in ids(a) if each in ids(b)]


@few_examples
@given(st.lists(ALTERNATIVES, min_size=2, max_size=3), st.sampled_from(["|", " | ", "| "]))
def test_alternatives_show_the_union(words, sign):
    free_first = sorted(words, key=lambda word: grammar.field_of(next(grammar.split(word)).words[0]) is not None)
    union = {each for word in words for each in ids(word)}
    assert set(ids(sign.join(free_first))) == union


@few_examples
@given(st.lists(ALTERNATIVES, min_size=1, max_size=3).map("|".join))
def test_a_minus_shows_the_complement(term):
    assert ids(f"-{term}") == [each for each in ALL if each not in ids(term)]


@few_examples
@given(TERMS, TEXTS)
def test_a_filter_that_narrows_another_shows_only_its_jobs(text, more):
    wider, narrower = parse(text, VALUES).filter, parse(text + more, VALUES).filter
    if narrower.narrows(wider):
        assert set(ids(text + more)) <= set(ids(text))


@few_examples
@given(TERMS)
def test_a_filter_gives_the_same_with_and_without_a_kept_search_text(text):
    wanted = parse(text, VALUES).filter
    for state in STATES:
        assert wanted.matches(state, CONTEXT) == wanted.matches(state, CONTEXT, search_text(state, CONTEXT))


class Row:
    """Row without a search text."""

    def __init__(self, state):
        self.state = state
        self.search_text = None


@few_examples
@given(st.lists(TERMS, min_size=1, max_size=2).map(" ".join), st.sets(st.sampled_from(range(len(STATES)))))
def test_a_search_in_kept_texts_finds_the_same_as_the_fields(text, prepared):
    wanted, rows = parse(text, VALUES).filter, [Row(state) for state in STATES]
    for index in prepared:
        rows[index].search_text = search_text(STATES[index], CONTEXT)
    assert [row.state for row in wanted.select(rows, CONTEXT)] == [
        state for state in STATES if wanted.matches(state, CONTEXT)
    ]


@pytest.mark.parametrize(
    "name", [name for name, field in FIELDS.items() if isinstance(field, TextField) and field.mark]
)
@pytest.mark.parametrize("length", [1, 3, None])
@pytest.mark.parametrize("operator", [":", "="])
def test_a_marked_field_is_found_by_each_beginning_of_its_texts(name, length, operator):
    for source in STATES:
        for each in FIELDS[name].texts(source, CONTEXT):
            term = Term(name, operator, each.lower()[:length])
            for state in STATES:
                assert (term.needle in search_text(state, CONTEXT)) is term.matches(state, CONTEXT, None)


@few_examples
@given(TERMS, st.sampled_from(STATES), st.floats(0, 1e6))
def test_a_comparison_holds_until_the_instant_at_which_it_may_change(text, state, later):
    wanted = parse(text, VALUES).filter
    assert wanted.next_change_at(state, CONTEXT) > NOW
    change = min(wanted.next_change_at(state, CONTEXT), NOW + later)
    if wanted.is_timed and "expires" not in text and "flag" not in text:  # these change with the link's life, too
        before = EvaluationContext(now=max(NOW, change - 0.01), providers=CONTEXT.providers)
        assert wanted.matches(state, before) == wanted.matches(state, CONTEXT)


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("launch", "", "launch"),
        ("phase:timed_out", "status", "timed out"),
        ("tag:la", "tags", "la"),
        ("-launch", "", None),
    ],
)
def test_what_a_filter_matches_is_highlighted_in_its_column(text, column, found):
    pattern = parse(text).filter.highlights().get(column)
    assert (pattern is not None and bool(pattern.fullmatch(found.upper()))) if found else pattern is None


def test_a_term_implies_the_one_with_a_shorter_text():
    assert Term("", ":", "launch").implies(Term("", ":", "aun"))
    assert Term("tag", ":", "launch").implies(Term("tag", ":", "la"))
    assert not Term("tag", ":", "launch").implies(Term("tag", ":", "aun"))
    assert not Term("tag", ":", "launch").implies(Term("tag", "=", "launch"))
    assert Term("note", ":", "launch").implies(Term("note", ":", "aun"))

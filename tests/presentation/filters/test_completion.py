import pytest
from hypothesis import given

from tests.presentation.filters.test_grammar import TEXTS, VALUES
from tui.presentation.filters import grammar
from tui.presentation.filters.completion import MAX_CANDIDATES, complete


@pytest.mark.parametrize(
    ("text", "labels", "first"),
    [
        ("", [], ""),
        ("ph", ["phase:"], "phase:"),
        ("launch ph", ["phase:"], "launch phase:"),
        ("-ta", ["tag:"], "-tag:"),
        ("ag", ["age>"], "age>"),
        ("n", ["name:", "note:", "next>"], "name:"),
        ("phase:", ["new", "queued", "running", "done", "failed", "timed_out", "blocked", "missing"], "phase:new"),
        ("phase:fa", ["failed"], "phase:failed"),
        ("PHASE:FA", ["failed"], "PHASE:FAiled"),
        ("phase:failed|b", ["blocked"], "phase:failed|blocked"),
        ("phase:failed|ph", [], ""),
        ("tag:", ["launch", "q3"], "tag:launch"),
        ("tag=l", ["launch"], "tag=launch"),
        ("account:", ["camb", "emea", "heygen", "konpro", "legal"], "account:camb"),
        ("lang:urd", ["Urdu (Pakistan)"], 'lang:"Urdu (Pakistan)"'),
        ('lang:"urd', ["Urdu (Pakistan)"], 'lang:"urdu (Pakistan)"'),
        ("age>", [], ""),
        ("foo:", [], ""),
        ("phase: ", [], ""),
        ('"ph', [], ""),
    ],
)
def test_the_last_word_is_completed(text, labels, first):
    found = complete(text, VALUES)
    assert [each.label for each in found] == labels
    assert not first or found[0].text == first


@given(TEXTS)
def test_a_candidate_adds_no_error(text):
    found = complete(text, VALUES)
    assert len(found) <= MAX_CANDIDATES
    for each in found:
        if not grammar.parse(text, VALUES).error:
            assert not grammar.parse(each.text, VALUES).error

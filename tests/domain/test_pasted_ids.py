import re

import pytest

from tui.domain.job_ids import CandidateStatus, parse_pasted
from tui.domain.models import Ref

HINTS = {"acme": [re.compile("^doc_")], "other": []}


@pytest.mark.parametrize(
    ("line", "account", "expected"),
    [
        ("doc_1", "", ("acme", "doc_1")),
        ("other:doc_1", "", ("other", "doc_1")),
        (' other:"x" ', "", ("other", "x")),
        ("other:x", "other", ("other", "x")),
        ("other:x", "acme", ("acme", "other:x")),  # whose all are was said: the whole is an id
        ("nobody:x", "acme", ("acme", "nobody:x")),
        ("other:https://x.example/v/7", "", ("other", "7")),
    ],
)
def test_a_pasted_id_gets_the_account_that_it_names_or_matches(
    line: str, account: str, expected: tuple[str, str]
) -> None:
    (found,) = parse_pasted([line], HINTS, (), account)
    assert (found.status, found.account, found.id) == (CandidateStatus.NEW, *expected)


def test_listed_duplicate_ambiguous_and_invalid_ids_have_their_status() -> None:
    lines = ["acme:a", "acme:a", "other:b", "x", "other:", "https://h/"]
    verdicts = [each.status for each in parse_pasted(lines, HINTS, {Ref("other", "b")})]
    assert verdicts == [
        CandidateStatus.NEW,
        CandidateStatus.DUPLICATE,
        CandidateStatus.LISTED,
        CandidateStatus.AMBIGUOUS,
        CandidateStatus.INVALID,
        CandidateStatus.INVALID,
    ]

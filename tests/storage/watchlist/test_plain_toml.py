"""Plain watchlists are read as `tomllib` reads them, and edited as other texts are."""

import tomllib
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.storage.watchlist.test_watchlist_properties import CHANGES, JOBS
from tui.domain.models import Ref
from tui.storage.watchlist import editor, plain_toml
from tui.storage.watchlist.content import WatchlistError
from tui.storage.watchlist.operations import Add, Operation, Remove, Set
from tui.storage.watchlist.plain_toml import parse_plain, plain_heads

STRINGS = [
    '""',
    '"a # b"',
    "'c:\\d'",
    '"\\u0041"',
    '"é日本\u2028"',
    '"tab\there"',
    '"""x"""',
    "'''y'''",
    '"\x01"',
    '"\x7f"',
]
VALUES = [
    *STRINGS, "true", "false", "truer", "1", "1.5", "nan", "{ a = 1 }", "[]", '["a", \'b\']', '[ "a" , ]', "[1]",
    "2026-11-21T20:14:00Z", "2026-13-41T20:14:00Z", "2026-11-21T20:14:60Z", "2026-11-21", "2026-11-21T20:14:00", "\"",
]  # fmt: skip
KEYS = ["account", "id", "label", "tags", "job", "a-b_1", '"quoted"', "a.b", "é", ""]
LINES = st.one_of(
    st.sampled_from([
        *("[[job]]", "  [[job]] # mine", "\t[[job]]\t", "[[ job ]]", "[['job']]", "[job]", "[job.secrets]", "[[x]]"),
        *("", "  ", "# comment", "  # é \t", "# \x01", "]", "x", "\x0c", "\xa0", "[[job]] x", "a = 1 b = 2", "\r"),
    ]),
    st.builds(
        lambda key, space, value, rest: f"{key}{space}={space}{value}{rest}",
        *(st.sampled_from(each) for each in (KEYS, ["", " ", "\t"], VALUES, ["", " ", " # why", "# \x7f", " x"])),
    ),
)  # fmt: skip
PLAIN_LINES = st.sampled_from(
    ['label = "a"', "note = 'b'", 'tags = ["x", "y"]', "muted = true", "# note", "", 'own = "z"  # own']
)
PLAIN = st.builds(
    lambda refs, lines, top, end, line_end, mark: mark + line_end.join(
        [top, *(line for number, own in zip(refs, lines, strict=False) for line in (
            "[[job]]", 'account = "heygen"', f'id = "{number}"', *dict.fromkeys(own)))]
    ) + end,
    st.lists(st.integers(1, 4), max_size=4),
    st.lists(st.lists(PLAIN_LINES, max_size=4), min_size=4, max_size=4),
    st.sampled_from(["", "# top", "version = true", "[[job]]"]),
    st.sampled_from(["", "\n", "\n\n", "  # end"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
)  # fmt: skip
REFS = st.lists(st.builds(Ref, st.just("heygen"), st.sampled_from(["1", "2", "3", "4"])), max_size=3).map(tuple)
OPERATIONS = st.one_of(
    st.builds(lambda jobs: Add(tuple(jobs)), st.lists(JOBS, max_size=3)),
    st.builds(Remove, REFS),
    st.builds(Set, REFS, CHANGES),
)


def read_by_tomllib(text: str) -> object:
    try:
        return tomllib.loads(text)
    except ValueError:
        return "invalid"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@example(lines=["x"])
@example(lines=["[[job]]", 'tags = ["a" , x]'])
@example(lines=["[[job]]", "muted = true", "muted = true"])
@example(lines=['job = "a"', "[[job]]"])
@given(lines=st.lists(LINES, max_size=6))
def test_a_text_that_is_read_as_plain_is_read_as_tomllib_reads_it(lines, end):
    text = end.join(lines)
    found = parse_plain(text)
    assert found is None or found == read_by_tomllib(text)


@given(PLAIN)
def test_a_text_of_simple_lines_is_plain_unless_it_is_invalid(text):
    body = text.removeprefix("\ufeff")
    found = parse_plain(body)
    assert found == read_by_tomllib(body) or (found is None and read_by_tomllib(body) == "invalid")
    if found is not None:
        assert len(plain_heads(text)) == len(found.get("job", []))


@given(PLAIN, OPERATIONS)
def test_an_edit_of_a_plain_text_equals_the_one_that_parses_all_of_it(text: str, operation: Operation):
    def outcome() -> object:
        try:
            return editor.apply(text, operation)
        except WatchlistError as error:
            return str(error)

    with patch.object(plain_toml, "MIN_LENGTH", 0):
        quick = outcome()
    assert quick == outcome(), "a text as short as this one is left to tomllib"

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.domain.job_ids import (
    MAX_ID_LENGTH,
    CandidateStatus,
    UnknownRefError,
    guess_accounts,
    id_from_paste,
    invalid_reason,
    parse_pasted,
    resolve_ref,
)
from tui.domain.models import Ref

HEX = re.compile(r"^[0-9a-f]{32}(-|$)")
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-")
DOC = re.compile(r"^doc_")
ID = "7544c0b52ada44fda693a15b1181b5b4-ur_ur-PK"
LIST = (Ref("heygen", "abc"), Ref("camb", "abc"), Ref("flixu", "doc_1"), Ref("old", "x:y"), Ref("camb", "heygen:z"))


@pytest.mark.parametrize(
    "text", [ID, "doc_abc", "tr_1", "a.b", "…", "日本語", "a:b", "-", "%2e", "?x=1#y", "é", "x" * MAX_ID_LENGTH]
)
def test_every_plausible_id_is_valid(text: str) -> None:
    assert invalid_reason(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty id"),
        ("a b", "white space"),
        ("a\u00a0b", "white space"),
        ("a\u2028b", "white space"),
        ("a\tb", "white space"),
        ("a\x1bb", "U+001B"),
        ("a\u200bb", "U+200B"),
        ("a\u202eb", "U+202E"),
        ("\ufeffa", "U+FEFF"),
        ("a\udcffb", "U+DCFF"),
        ("a\ue000", "U+E000"),
        ("a/b", "whole link"),
        ("a\\b", "whole link"),
        (".", "path"),
        ("..", "path"),
        ("x" * (MAX_ID_LENGTH + 1), "513"),
    ],
)
def test_an_invalid_id_has_a_reason(text: str, why: str) -> None:
    assert why in (invalid_reason(text) or "")


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_only_the_named_reasons_make_an_id_invalid(text: str) -> None:
    bad = any(c.isspace() or c in "/\\" or unicodedata.category(c)[0] in "CZ" for c in text)
    assert (invalid_reason(text) is not None) == (bad or text in {"", ".", ".."})
    assert invalid_reason(text) is None or (invalid_reason(text) or "").isprintable()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"  {ID}\r\n", ID),
        (f'"{ID}",', ID),
        (f"“{ID}”", ID),
        ("", ""),
        ("two words", "two words"),
        (f"https://api.heygen.com/v2/video_translate/{ID}", ID),
        (f"https://resource2.heygen.ai/video_translate/{ID}/original.mp4?response-content-disposition=x", ID),
        ("https://api.flixu.ai/v1/translate/doc_1/download", "doc_1"),
        ("HTTPS://api.example.com/jobs/a%20b%2Fc/", "a b/c"),
        ("https://app.example.com/jobs/plain/edit", "plain"),
        ("https://app.example.com/watch?id=doc_77", "doc_77"),
        ("https://app.example.com/doc_5/pages/3", "doc_5"),
        (
            "https://client.camb.ai/apis/translate/5f0c2c1e-3b8a-4f5e-9d0a-2b6c7d8e9f00",
            "5f0c2c1e-3b8a-4f5e-9d0a-2b6c7d8e9f00",
        ),
        ("https://example.com/", ""),
        ("https://[bad/x", "https://[bad/x"),
        ("ftp://example.com/doc_1", "ftp://example.com/doc_1"),
    ],
)
def test_the_id_is_found_in_pasted_text(line: str, found: str) -> None:
    assert id_from_paste(line, [HEX, UUID, DOC]) == found


def test_a_link_without_a_matching_pattern_gives_its_last_segment_that_is_no_suffix() -> None:
    assert id_from_paste("https://app.example.com/doc_5/pages/3") == "3"
    assert id_from_paste("https://app.example.com/jobs/n1/result/captions.srt") == "n1"


@given(st.text())
def test_any_pasted_text_is_a_valid_id_or_has_a_reason(line: str) -> None:
    for pasted in (line, f"http://{line}"):
        found = id_from_paste(pasted, [HEX])
        assert invalid_reason(found) or found == found.strip() != ""


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("camb:abc", Ref("camb", "abc")),
        ("doc_1", Ref("flixu", "doc_1")),
        ("old:x:y", Ref("old", "x:y")),
        ("x:y", Ref("old", "x:y")),
        ("camb:heygen:z", Ref("camb", "heygen:z")),
    ],
)
def test_a_ref_names_its_job(text: str, ref: Ref) -> None:
    assert resolve_ref(text, LIST, ["heygen", "camb", "flixu"]) == ref


def test_an_account_before_the_colon_comes_before_an_id_with_a_colon() -> None:
    with pytest.raises(UnknownRefError) as caught:
        resolve_ref("heygen:z", LIST, ["heygen"])
    assert caught.value.candidates == ()


def test_an_id_of_several_accounts_names_them_all() -> None:
    with pytest.raises(UnknownRefError) as caught:
        resolve_ref("abc", LIST, [])
    assert caught.value.candidates == (Ref("heygen", "abc"), Ref("camb", "abc"))
    assert str(caught.value) == "'abc' is ambiguous: use heygen:abc or camb:abc"


@pytest.mark.parametrize(
    ("text", "nearest"), [("doc_2", "flixu:doc_1"), ("flixu:doc2", "flixu:doc_1"), ("heygen:abx", "heygen:abc")]
)
def test_an_unknown_ref_names_the_nearest(text: str, nearest: str) -> None:
    with pytest.raises(UnknownRefError, match=f"no job '{text}' on the watchlist; did you mean {nearest}"):
        resolve_ref(text, LIST, ["heygen"])


def test_an_unknown_ref_without_similar_ones_suggests_none_and_escapes_control_characters() -> None:
    with pytest.raises(UnknownRefError) as caught:
        resolve_ref("\x1b[31mqqqqqq", LIST, [])
    assert str(caught.value) == r"no job '\x1b[31mqqqqqq' on the watchlist"
    assert caught.value.nearest is None


def test_a_guess_names_every_account_with_a_matching_pattern() -> None:
    id_patterns = {"heygen": [HEX], "camb": [UUID], "flixu": [DOC], "second": [UUID, HEX], "none": []}
    assert guess_accounts(ID, id_patterns) == ("heygen", "second")
    assert guess_accounts("interview-4", id_patterns) == ()


ID_PATTERNS = {"acme": [re.compile("^doc_")], "other": []}


@pytest.mark.parametrize(
    ("line", "account", "expected"),
    [
        ("doc_1", "", ("acme", "doc_1")),
        ("other:doc_1", "", ("other", "doc_1")),
        (' other:"x" ', "", ("other", "x")),
        ("other:x", "other", ("other", "x")),
        ("other:x", "acme", ("acme", "other:x")),  # the account is given: the whole is an id
        ("unknown:x", "acme", ("acme", "unknown:x")),
        ("other:https://x.example/v/7", "", ("other", "7")),
    ],
)
def test_a_pasted_id_gets_the_account_that_it_names_or_matches(
    line: str, account: str, expected: tuple[str, str]
) -> None:
    (found,) = parse_pasted([line], ID_PATTERNS, (), account)
    assert (found.status, found.account, found.id) == (CandidateStatus.NEW, *expected)


def test_listed_duplicate_ambiguous_and_invalid_ids_have_their_status() -> None:
    lines = ["acme:a", "acme:a", "other:b", "x", "other:", "https://h/"]
    verdicts = [each.status for each in parse_pasted(lines, ID_PATTERNS, {Ref("other", "b")})]
    assert verdicts == [
        CandidateStatus.NEW,
        CandidateStatus.DUPLICATE,
        CandidateStatus.LISTED,
        CandidateStatus.AMBIGUOUS,
        CandidateStatus.INVALID,
        CandidateStatus.INVALID,
    ]

import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.presentation import sanitize

ANYTHING = st.text(st.characters(exclude_categories=()))
HOSTILE = st.text(
    st.sampled_from(
        "aA0;m ]\\[?PX^_k \n\r\t\v\f\x00\x07\x1b\x7f\x85\x90\x9b\x9c\x9d\xad\u200b\u200c\u200d\u200e\u202e\u2028\u2066"
        "\ufeff\ufe0f\U000e0067\U000e007f\ud83d\udc4d\u2764\U0001f525\U0001f468\u0645\u06cc\u0916\u0915\u094d\u0dca你"
    )
)


@cache
def seen_formats() -> set[str]:
    """Return the format characters that `clean` lets pass."""
    return {chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Cf" and sanitize.clean(chr(c))}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Spring launch", "Spring launch"),
        ("a\x1b]0;x\x07b", "ab"),
        ("a\x1b]8;;https://evil\x1b\\b", "ab"),
        ("a\x1b[31;1mb\x1b[0m", "ab"),
        ("a\x9b31mb", "ab"),
        ("a\x9d0;x\x9cb", "ab"),
        ("a\x1bP1$r\nq\x1b\\b", "ab"),
        ("a\x1b_hidden\x1b\\b\x1b^hidden\x07c", "abc"),
        ("a\x1bktitle\x1b\\b", "ab"),
        ("a\x1bcb\x1b(0c\x1b", "abc"),
        ("a\x1b]0;never ends", "a"),
        ("a\x1b]0;never ends\nb", "a b"),
        ("[/x] [@click=app.quit]", "[/x] [@click=app.quit]"),
        ("a\x00b\x7fc\x08d", "abcd"),
        ("a\r\nb\n\n\tc\x85d\u2028e\u2029f", "a b c d e f"),
        ("  a \n", "a"),
        ("\u202egpj.exe\u202c", "gpj.exe"),
        ("a\u2066b\u2069c\u200ed\u200fe\u061cf", "abcdef"),
        ("pay\u200bpal\ufeff\u2060\xad", "paypal"),
        ("a\ud800b", "a\ufffdb"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f3f4"),
    ],
)
def test_untrusted_text_becomes_plain_text(text: str, shown: str):
    assert sanitize.clean(text) == shown


@pytest.mark.parametrize(
    "word",
    ["می\u200cخواهم", "क्\u200dष", "ශ්\u200dරී", "❤️\u200d🔥", "👨\u200d👩\u200d👧", "👩🏽\u200d🚀", "葛\U000e0100城"],
)
def test_a_joiner_stays_where_a_script_or_an_emoji_needs_it(word: str):
    assert sanitize.clean(f"\x00{word}") == word


@pytest.mark.parametrize("word", ["pay\u200cpal", "pay\u200dpal", "\u200dab\u200d", "م\u200c b", "م\u200c\u200cم"])
def test_a_useless_joiner_is_removed(word: str):
    assert sanitize.clean(word) == word.replace("\u200c", "").replace("\u200d", "")


def test_a_wrongly_decoded_quotation_mark_removes_no_text():
    assert sanitize.clean("he text “yes” and “no”".encode().decode("latin-1")) == "he text âyesâ and ânoâ"


def test_lines_keep_their_breaks_and_lose_their_tabs():
    assert sanitize.clean("a\r\n\tb\n\nc\x1b[2J\n", keep_lines=True) == "a\n    b\n\nc\n"


def test_long_text_is_cut_with_an_ellipsis():
    assert sanitize.clean("x" * 2001) == "x" * 1999 + "…"
    assert sanitize.clean("one two", 5) == "one…"
    assert sanitize.clean("❤️\u200d🔥!", 4) == "❤️…"
    assert sanitize.clean("abc", 1) == "…"


@given(ANYTHING | HOSTILE, st.booleans(), st.integers(1, 30))
def test_cleaning_is_idempotent(text: str, lines: bool, most: int):
    once = sanitize.clean(text, most, keep_lines=lines)
    assert sanitize.clean(once, most, keep_lines=lines) == once
    assert len(once) <= most


@given(ANYTHING | HOSTILE, st.booleans())
def test_no_control_format_or_surrogate_character_is_left(text: str, lines: bool):
    allowed = seen_formats() | {"\u200c", "\u200d"} | ({"\n"} if lines else set())
    shown = set(sanitize.clean(text, keep_lines=lines)) - allowed
    assert not {c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


def test_only_format_characters_with_a_glyph_are_left():
    assert all(cell_len(c) > 0 or unicodedata.name(c).startswith("EGYPTIAN") for c in seen_formats())
    assert {unicodedata.name(c).split()[0] for c in seen_formats()} <= {"ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"}


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_plain_text_is_unchanged(text: str):
    assert sanitize.clean(text) == text


@pytest.mark.parametrize("unit", ["a", "é\x00", "\x1b]", "\x9d", "\x1b[", "\u200d", "\r", "\x1b]0;x\x85", "[0;"])
def test_a_megabyte_is_cleaned_in_linear_time(unit: str):
    """Steps that grew with its square would take hours: the test's time-out is the bound."""
    cleaned = sanitize.clean("\x1b]" + unit * (1_000_000 // len(unit)))
    assert sanitize.clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x/v.mp4", "https://x/v.mp4"),
        ("https://x/v.mp4?X-Amz-Signature=s3cret&a=b", "https://x/v.mp4?…"),
        ("https://x/v.mp4#token=s3cret", "https://x/v.mp4#…"),
        ("https://x/v.mp4?a=s3\ncret#s3cret", "https://x/v.mp4?…"),
        ("https://me:s3cret@x/a@b?c", "https://x/a@b?…"),
        ("", ""),
    ],
)
def test_a_masked_url_hides_credentials_query_and_fragment(url: str, shown: str):
    assert sanitize.mask_url(url) == shown

import math
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.presentation import formatting, languages, sanitize
from tui.presentation.languages import LANGUAGE_CODES, QUALIFIER_CODES

ANYTHING = st.text(st.characters(exclude_categories=()))
HOSTILE = st.text(
    st.sampled_from(
        "aA0;m ]\\[?PX^_k \n\r\t\v\f\x00\x07\x1b\x7f\x85\x90\x9b\x9c\x9d\xad\u200b\u200c\u200d\u200e\u202e\u2028\u2066"
        "\ufeff\ufe0f\U000e0067\U000e007f\ud83d\udc4d\u2764\U0001f525\U0001f468\u0645\u06cc\u0916\u0915\u094d\u0dca你"
    )
)
SEEN_FORMATS = {chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Cf" and sanitize.clean(chr(c))}
"""The format characters that `clean` lets pass."""


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
    allowed = SEEN_FORMATS | {"\u200c", "\u200d"} | ({"\n"} if lines else set())
    shown = set(sanitize.clean(text, keep_lines=lines)) - allowed
    assert not {c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


def test_only_format_characters_with_a_glyph_are_left():
    assert all(cell_len(c) > 0 or unicodedata.name(c).startswith("EGYPTIAN") for c in SEEN_FORMATS)
    assert {unicodedata.name(c).split()[0] for c in SEEN_FORMATS} <= {"ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"}


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_plain_text_is_unchanged(text: str):
    assert sanitize.clean(text) == text


@pytest.mark.parametrize("unit", ["a", "é\x00", "\x1b]", "\x9d", "\x1b[", "\u200d", "\r", "\x1b]0;x\x85", "[0;"])
def test_a_megabyte_is_cleaned_in_linear_time(unit: str):
    """Steps that grew with its square would take hours: the test's time-out is the bound."""
    cleaned = sanitize.clean("\x1b]" + unit * (1_000_000 // len(unit)))
    assert sanitize.clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("seconds", "left", "passed", "length"),
    [
        (0, "0s", "0s", "0s"),
        (38, "38s", "38s", "38s"),
        (59.5, "1m", "59s", "59s"),
        (432, "7m", "7m", "7m12s"),
        (3599, "59m", "59m", "59m59s"),
        (7500, "2h05m", "2h", "2h05m"),
        (36000, "10h", "10h", "10h00m"),
        (18 * 3600 + 420, "18h", "18h", "18h07m"),
        (86400, "1d00h", "1d", "1d00h"),
        (5 * 86400 + 4 * 3600, "5d04h", "5d", "5d04h"),
        (120 * 86400, "120d", "120d", "120d"),
        (1e12, "99999d", "99999d", "99999d"),
        (math.inf, "99999d", "99999d", "99999d"),
        (-5, "0s", "0s", "0s"),
    ],
)
def test_times_are_short(seconds: float, left: str, passed: str, length: str):
    assert (formatting.duration(seconds), formatting.age(seconds), formatting.span(seconds)) == (left, passed, length)


@given(st.floats(-1e12, 1e12))
def test_no_time_is_wider_than_six_cells_or_negative(seconds: float):
    for label in (formatting.duration(seconds), formatting.age(seconds), formatting.span(seconds)):
        assert 2 <= len(label) <= 6
        assert "-" not in label


TIMES = st.floats(-1e5, 1e7, allow_subnormal=False) | st.integers(-10, 10_000_000).map(float)


@given(TIMES, st.floats(0, 0.999))
def test_a_duration_is_unchanged_until_its_next_change(left: float, part: float):
    wait = formatting.next_change(left, "duration")
    assert wait > 0
    if wait == math.inf:
        assert formatting.duration(left) == formatting.duration(left - 1e9) == "0s"
    else:
        assert formatting.duration(left - wait * part) == formatting.duration(left)
        assert formatting.duration(left - wait - 1e-6) != formatting.duration(left)


@given(TIMES, st.floats(0, 0.999))
def test_an_age_is_unchanged_until_its_next_change(passed: float, part: float):
    wait = formatting.next_change(passed, "age")
    assert wait > 0
    assert formatting.age(passed + wait * part) == formatting.age(passed)
    assert formatting.age(passed + wait + 1e-6) != formatting.age(passed)


def test_a_final_text_never_changes():
    assert formatting.next_change(0, "duration") == math.inf
    assert formatting.next_change(1e13, "age") == math.inf


@given(st.integers(1, 10_000_000))
def test_whole_seconds_change_exactly_at_the_predicted_instant(left: int):
    assert formatting.duration(left - formatting.next_change(left, "duration")) != formatting.duration(left)
    assert formatting.age(left + formatting.next_change(left, "age")) != formatting.age(left)


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


def test_an_instant_is_as_short_as_now_allows():
    now = at(2026, 11, 21, 18, 0)
    assert formatting.instant(at(2026, 11, 21, 14, 5), UTC, now) == "14:05"
    assert formatting.instant(at(2026, 11, 20, 14, 5), UTC, now) == "20 Nov 14:05"
    assert formatting.instant(at(2025, 11, 21, 14, 5), UTC, now) == "21 Nov 2025"
    assert formatting.instant(at(2026, 11, 21, 23, 5), timezone(timedelta(hours=5)), now) == "22 Nov 04:05"


def test_a_clock_shows_seconds_on_request_only():
    assert formatting.clock(at(2026, 11, 21, 14, 5, 9), UTC) == "14:05"
    assert formatting.clock(at(2026, 11, 21, 14, 5, 9), UTC, seconds=True) == "14:05:09"


def test_iso_times_drop_milliseconds_and_are_utc():
    assert formatting.iso_time(at(2026, 11, 21, 14, 5, 9) + 0.999) == "2026-11-21T14:05:09Z"
    assert formatting.iso_time(-0.5) == "1969-12-31T23:59:59Z"


@given(st.floats(allow_nan=False))
def test_every_instant_can_be_shown(moment: float):
    assert formatting.iso_time(moment).endswith("Z")
    assert formatting.instant(moment, timezone(timedelta(hours=14)), 0)


@pytest.mark.parametrize(
    ("fraction", "unicode", "ascii_only"),
    [
        (0, "········", "........"),
        (0.5, "████····", "####...."),
        (0.62, "████▉···", "####...."),
        (0.01, "········", "........"),
        (0.02, "▏·······", "........"),
        (1, "████████", "########"),
        (7, "████████", "########"),
        (-1, "········", "........"),
        (math.nan, "········", "........"),
    ],
)
def test_a_bar_fills_in_eighths(fraction: float, unicode: str, ascii_only: str):
    assert formatting.bar(fraction, 8) == unicode
    assert formatting.bar(fraction, 8, ascii_only=True) == ascii_only


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 40))
def test_a_bar_has_its_width_and_never_shrinks_with_more_progress(one: float, other: float, cells: int):
    low, high = formatting.bar(min(one, other), cells), formatting.bar(max(one, other), cells)
    assert len(low) == len(high) == cells
    assert low.count("·") >= high.count("·")


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


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Urdu (Pakistan)", "ur-PK"),
        ("urdu (PAKISTAN)", "ur-PK"),
        ("French", "fr"),
        ("es", "es"),
        ("zh-Hans", "zh-Hans"),
        ("zh-Hans-CN", "zh-Hans"),
        ("es_MX", "es-MX"),
        ("Lao", "lo"),
        ("Chinese (Mandarin, Simplified)", "zh-Hans"),
        ("Chinese (Taiwanese Mandarin, Traditional)", "zh-TW"),
        ("Chinese (Cantonese, Traditional)", "yue"),
        ("Serbian (Latin, Serbia)", "sr-Latn"),
        ("Norwegian Bokmål (Norway)", "nb-NO"),
        ("Burmese (Myanmar)", "my-MM"),
        ("Spanish (Latin America)", "es-419"),
        ("Filipino (Philippines)", "fil-PH"),
        ("Spanish (Elsewhere)", "es"),
        ("English - Your Accent", "English"),
        ("Klingon (Qo'noS)", "Klingon"),
        ("日本語です", "日本語"),
        ("", ""),
    ],
)
def test_a_language_code_is_its_tag_or_its_first_letters(name: str, short: str):
    assert languages.language_code(name) == short


@given(st.sampled_from(sorted(LANGUAGE_CODES)), st.sampled_from(sorted(QUALIFIER_CODES)))
def test_every_known_language_and_region_has_a_tag(language: str, region: str):
    tag = languages.language_code(f"{language.title()} ({region.title()})")
    assert tag.split("-")[0] == LANGUAGE_CODES[language].split("-")[0]
    assert len(tag) <= 7


@given(st.text(st.characters(categories=["L", "N", "P", "Z"])))
@example("000000𝍠")
def test_a_language_code_is_never_wider_than_its_column(name: str):
    assert cell_len(languages.language_code(name)) <= 7


def test_a_sparkline_goes_from_the_lowest_to_the_highest():
    assert formatting.sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"
    assert formatting.sparkline([0, 1, 2], ascii_only=True) == "_-^"
    assert formatting.sparkline([5.0]) == "▁"
    assert formatting.sparkline([]) == ""


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns")])
@given(st.floats(1_700_000_000, 1_900_000_000))
def test_an_instant_changes_its_form_at_midnight(zone: tzinfo, now: float):
    ends = formatting.next_midnight(zone, now)
    assert 0 < ends - now <= 25 * 3600
    assert formatting.instant(now, zone, ends - 0.001) == formatting.instant(now, zone, now)
    assert formatting.instant(now, zone, ends) != formatting.instant(now, zone, now)

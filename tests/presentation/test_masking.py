"""Tests of masking: a key in any spelling of its characters."""

import html
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.spellings import SPELLINGS
from tui.presentation.masking import mask, mask_text
from tui.presentation.sanitize import clean

KEY = "sk/live+Abc=9876&\"'<>%q w/ZyX"


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_key_is_masked_in_every_spelling_and_the_text_around_it_stays(spelling):
    text = json.dumps({"before": "100 % & \\ é"}) + spelling(KEY) + json.dumps(["after"])
    masked = mask_text(text, KEY)
    assert masked.startswith('{"before": "100 % & \\\\ \\u00e9"}')
    assert masked.endswith('["after"]')
    assert "***" in masked
    assert len(masked) < len(text) - len(KEY) // 2
    assert "9876" not in clean(masked)
    assert "9876" not in clean(urllib.parse.unquote(html.unescape(masked)))


@pytest.mark.parametrize(
    "key", ["schlüssel-é", "a\\b\\\\c", "%2b%25", "&amp;&lt;", "k\\u0041", "***", "'\"'", "%", "\\"]
)
def test_unusual_keys_are_masked(key):
    for encoding in ("utf-8", "latin-1"):
        assert mask(b"<" + key.encode(encoding) + b">", key) == b"<***>"
    for spelled in (json.dumps(key), urllib.parse.quote(key, safe="/"), html.escape(key)):
        masked = mask_text(f"<{spelled}>", key)
        assert "***" in masked or key == "\\"
    assert json.loads(mask(json.dumps(["a", key, "b"]).encode(), key))[::2] == ["a", "b"]


def test_masked_json_stays_json():
    body = {"message": f"you sent {KEY}", "url": f"https://x.test/?key={urllib.parse.quote(KEY)}&more=1", "n": 1}
    for text in (json.dumps(body), json.dumps(body).replace("/", "\\/"), json.dumps(body, ensure_ascii=False)):
        found = json.loads(mask(text.encode(), KEY))
        assert found == {"message": "you sent ***", "url": "https://x.test/?key=***&more=1", "n": 1}


@given(st.text(max_size=60))
def test_a_text_without_the_key_is_unchanged(text):
    assert mask_text(text, KEY) == text


@given(st.binary(max_size=200), st.text(st.characters(max_codepoint=0xFF), min_size=1, max_size=8))
def test_no_bytes_make_the_search_fail(data, key):
    assert "*" in key or key.encode() not in mask(data, key)


@pytest.mark.parametrize(
    "unit",
    [b"\\", b"%25", b"&amp;", b"&#0", b"s", b"s\0", b"s\x1b[", b"s\\\\\\", b"'\\''", b"%", b"\\u0", KEY[:-1].encode()],
)
def test_hostile_bytes_are_passed_once(unit):
    data = unit * (400_000 // len(unit))
    assert mask(data, KEY) == data  # with quadratic time, the test would time out

"""JSON as services really send it: damage in text that babeltop does not need hides no status."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.providers.json_body import NotJsonError, as_text, decode

LATIN_1 = "application/json; charset=ISO-8859-1"


@pytest.mark.parametrize(
    ("body", "content_type", "value"),
    [
        (rb'{"a":"My \ud83d...","b":1}', "", {"a": "My \ufffd...", "b": 1}),
        (rb'{"a":"My \ude00","b":1}', "", {"a": "My \ufffd", "b": 1}),
        (rb'{"a":"\ud83d\ude00 \ud83d"}', "", {"a": "\U0001f600 \ufffd"}),
        (rb'{"a":"\\ud83d \ud83d"}', "", {"a": "\\ud83d \ufffd"}),
        (rb'{"a":"\ud83d\u0041"}', "", {"a": "\ufffdA"}),
        (b'{"a":"na\xc3","b":1}', "", {"a": "na\ufffd", "b": 1}),
        (b'{"a":"na\xefve"}', "", {"a": "na\ufffdve"}),
        (b'{"a":"na\xefve"}', LATIN_1, {"a": "naïve"}),
        (b'{"a":"na\xc3\xafve"}', LATIN_1, {"a": "naïve"}),
        (b'{"a":"na\xefve"}', 'application/json; charset="windows-1252"', {"a": "naïve"}),
        (b'{"a":"na\xefve"}', "application/json; charset=klingon", {"a": "na\ufffdve"}),
        (b'{"a":"na\xefve"}', "application/json; charset=iso-8859-99", {"a": "na\ufffdve"}),
        (b'\xef\xbb\xbf{"a":1}', "", {"a": 1}),
        (b'\xef\xbb\xbf{"a":"\xff"}', "", {"a": "\ufffd"}),
        (b'{"a":NaN,"b":[Infinity,-Infinity],"c":1}', "", {"a": None, "b": [None, None], "c": 1}),
        (b'{"a":1e999,"b":' + b"9" * 5000 + b"}", "", {"a": None, "b": None}),
        (b'{"a":"one\ntwo\tthree\x00"}', "", {"a": "one\ntwo\tthree\0"}),
        (
            rb'{"a":"na\u00e","b":"\ud83d\ude","c":"\\u00"}',
            "",
            {"a": "na\ufffdu00e", "b": "\ufffd\ufffdude", "c": "\\u00"},
        ),
        (rb'{"a":"it\'s \x41 \"b\" \\\q"}', "", {"a": 'it\ufffd\'s \ufffdx41 "b" \\\ufffdq'}),
        (b'{"a":1}\n\0\0', "", {"a": 1}),
        (b'{"a":1,"a":2}', "", {"a": 2}),
        (b'{"a":NaN,"a":2}', "", {"a": 2}),
    ],
)
def test_damage_in_unneeded_text_is_read_over(body: bytes, content_type: str, value: object):
    assert decode(body, content_type) == value


@pytest.mark.parametrize(
    ("body", "description"),
    [
        (b'{"a":"My \\ud83d', "truncated JSON"),
        (b'{"a":', "truncated JSON"),
        (b'{"a":"na\xc3', "truncated JSON"),
        (b'{"a":"b" "c":1}', "invalid JSON (Expecting ',' delimiter, character 10)"),
        (b"<html><title>Just a moment\xe9", "HTML, not JSON: “Just a moment\ufffd”"),
        (b"na\xefve", "“na\ufffdve”, not JSON"),
        ("{}".encode("utf-16-le"), "invalid JSON (Expecting property name enclosed in double quotes, character 2)"),
        (b"[" * 100_000 + b"NaN", "JSON nested too deeply"),
        (b"\xef\xbb\xbf", "an empty body"),
    ],
)
def test_a_body_that_is_no_json_is_described(body: bytes, description: str):
    with pytest.raises(NotJsonError) as error:
        decode(body)
    assert str(error.value) == description


@given(st.binary() | st.text().map(lambda text: json.dumps(text).encode()[:-3] + b'"'), st.text())
def test_any_body_is_decoded_without_lone_surrogates_or_refused(body: bytes, content_type: str):
    try:
        value = decode(body, content_type)
    except NotJsonError:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (1234567.0, "1234567"),
        (123456789012345.0, "123456789012345"),
        (1732712345678901.0, "1732712345678901"),
        (9007199254740991.0, "9007199254740991"),
        (0.45, "0.45"),
        (-2.0, "-2"),
    ],
)
def test_a_number_as_text_has_all_its_digits(number: Any, text: str):
    assert as_text(number) == text

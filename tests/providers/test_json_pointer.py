"""Pointers into a body: the examples of RFC 6901, and the two additions."""

import pytest

from tui.providers.json_pointer import Json, Pointer

RFC_6901: Json = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, " ": 7, 'k"l': 6}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", [RFC_6901]),
        ("/foo", [["bar", "baz"]]),
        ("/foo/0", ["bar"]),
        ("/", [0]),
        ("/a~1b", [1]),
        ("/m~0n", [8]),
        ("/ ", [7]),
        ('/k"l', [6]),
        ("/foo/*", ["bar", "baz"]),
        ("/foo/2", []),
        ("/foo/-1", []),
        ("/foo/00", []),
        ("/foo/²", []),
        ("/foo/x", []),
        ("/foo/0/0", []),
        ("/nothing/at/all", []),
    ],
)
def test_a_pointer_finds_the_values_of_rfc_6901(pointer: str, found: list[Json]):
    assert list(Pointer.parse(pointer).evaluate(RFC_6901)) == found


def test_a_star_matches_every_member_in_order():
    body: Json = {"fr": {"t": [{"x": 1}, {"x": 2}]}, "de": {"t": [{"x": 3}, {"y": 4}, 5]}, "no": None}
    assert list(Pointer.parse("/*/t/*/x").evaluate(body)) == [1, 2, 3]


def test_null_is_found_and_an_absent_member_is_not():
    assert list(Pointer.parse("/a").evaluate({"a": None})) == [None]
    assert list(Pointer.parse("/a").evaluate({})) == []


def test_a_header_is_found_under_its_lower_case_name():
    pointer = Pointer.parse("header:X-Request-Id")
    assert list(pointer.evaluate({}, {"x-request-id": "r"})) == ["r"]
    assert list(pointer.evaluate({"header:X-Request-Id": 1})) == []

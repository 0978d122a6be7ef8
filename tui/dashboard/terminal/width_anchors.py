"""Width anchors: columns stay aligned where terminals differ in the width of a text (Indic marks, joined emoji, …).

Such a text is written between two anchors: zero-width characters, which survive Textual's cropping. On output the first
becomes a sequence that clears the cell, the second one that moves to the column after it, whatever was drawn.
`presentation` removes these characters from all text of services.
"""

import re
from typing import cast
from unicodedata import category

from textual.driver import Driver

_CLEAR, _MOVE = "\u2061", "\u2062"
"""Invisible mathematical operators: no terminal gives them a cell, and `clean` removes them from all text."""
_DIGIT, _BASE = 0xE0020, 90
"""A number follows as two digits of base 90, each a tag character: zero-width and removed by `clean`, too."""
_ANCHOR = "([\u2061\u2062])([\U000e0020-\U000e0079])([\U000e0020-\U000e0079])"
_ANCHOR_CHARACTERS = re.compile("[\u2061\u2062\U000e0020-\U000e0079]")

_AMBIGUOUS_CATEGORIES = frozenset({"Mc", "Mn", "Me", "Cf"})


def has_ambiguous_width(text: str) -> bool:
    """Return whether terminals may draw the text in another width than computed."""
    return not text.isascii() and any(sign >= "\U0001f000" or category(sign) in _AMBIGUOUS_CATEGORIES for sign in text)


def add_anchors(text: str, width: int, left: int) -> str:
    """Return the text with its anchors; it fills `width` cells from the screen's column `left` (from 0) on."""
    return f"{_CLEAR}{_encode_number(width)}{text}{_MOVE}{_encode_number(left + width + 1)}"


def _encode_number(number: int) -> str:
    return "".join(chr(_DIGIT + digit) for digit in divmod(number, _BASE))


def to_escape_codes(data: str) -> str:
    """Replace anchors by control sequences (ECMA-48 ECH and CHA). Incomplete anchors are removed."""
    return _ANCHOR_CHARACTERS.sub("", re.sub(_ANCHOR, _escape_code, data)) if _ANCHOR_CHARACTERS.search(data) else data


def _escape_code(found: re.Match[str]) -> str:
    sign, high, low = found.groups()
    number = (ord(high) - _DIGIT) * _BASE + ord(low) - _DIGIT
    return f"\x1b[{number}{'X' if sign == _CLEAR else 'G'}"


def width_anchors(driver: type[Driver]) -> type[Driver]:
    """Return a subclass of the driver that replaces anchors on output."""

    class WidthAnchors(driver):
        def write(self, data: str) -> None:
            super().write(to_escape_codes(data))

    return cast("type[Driver]", WidthAnchors)

"""Columns that stand where terminals disagree over how wide a text is (Indic marks, joined emoji, variation selectors).

Such a text is written between two anchors: signs without width, which survive every cut that Textual makes. On the way
out, the first becomes an order to clear the cell, the second an order to go to the column behind it, whatever was
drawn. `domain.text.clean` lets no service write such signs.
"""

import re
from typing import cast
from unicodedata import category

from textual.driver import Driver

_CLEAR, _MOVE = "\u2061", "\u2062"
"""Invisible operators of mathematics: no terminal gives them a cell, and `clean` takes them out of all text."""
_DIGIT, _BASE = 0xE0020, 90
"""A number follows as two digits of base 90, each a tag character: no width either, and `clean` takes those too."""
_ANCHOR = "([\u2061\u2062])([\U000e0020-\U000e0079])([\U000e0020-\U000e0079])"
_ANCHOR_CHARACTERS = re.compile("[\u2061\u2062\U000e0020-\U000e0079]")

_AMBIGUOUS_CATEGORIES = frozenset({"Mc", "Mn", "Me", "Cf"})


def has_ambiguous_width(text: str) -> bool:
    """Whether terminals may disagree with us over the text's width."""
    return not text.isascii() and any(sign >= "\U0001f000" or category(sign) in _AMBIGUOUS_CATEGORIES for sign in text)


def add_anchors(text: str, width: int, left: int) -> str:
    """The text, which fills `width` cells from the screen's column `left` (from 0) on, with its two anchors."""
    return f"{_CLEAR}{_encode_number(width)}{text}{_MOVE}{_encode_number(left + width + 1)}"


def _encode_number(number: int) -> str:
    return "".join(chr(_DIGIT + digit) for digit in divmod(number, _BASE))


def to_escape_codes(data: str) -> str:
    """What goes to the terminal: anchors as control sequences (ECMA-48 ECH and CHA). Half an anchor vanishes."""
    return _ANCHOR_CHARACTERS.sub("", re.sub(_ANCHOR, _escape_code, data)) if _ANCHOR_CHARACTERS.search(data) else data


def _escape_code(found: re.Match[str]) -> str:
    sign, high, low = found.groups()
    number = (ord(high) - _DIGIT) * _BASE + ord(low) - _DIGIT
    return f"\x1b[{number}{'X' if sign == _CLEAR else 'G'}"


def width_anchors(driver: type[Driver]) -> type[Driver]:
    """The driver, with anchors made into orders on the way out."""

    class WidthAnchors(driver):
        def write(self, data: str) -> None:
            super().write(to_escape_codes(data))

    return cast("type[Driver]", WidthAnchors)

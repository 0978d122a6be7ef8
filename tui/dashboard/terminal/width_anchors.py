"""Columns that stand where terminals disagree over how wide a text is (Indic marks, joined emoji, variation selectors).

Such a text is written between two anchors: signs without width, which survive every cut that Textual makes. On the way
out, the first becomes an order to clear the cell, the second an order to go to the column behind it, whatever was
drawn. `domain.text.clean` lets no service write such signs.
"""

import re
from typing import cast
from unicodedata import category

from textual.driver import Driver

_CLEAR, _GO = "\u2061", "\u2062"
"""Invisible operators of mathematics: no terminal gives them a cell, and `clean` takes them out of all text."""
_DIGIT, _BASE = 0xE0020, 90
"""A number follows as two digits of base 90, each a tag character: no width either, and `clean` takes those too."""
_ORDER = "([\u2061\u2062])([\U000e0020-\U000e0079])([\U000e0020-\U000e0079])"
_REST = re.compile("[\u2061\u2062\U000e0020-\U000e0079]")

_DISPUTED = frozenset({"Mc", "Mn", "Me", "Cf"})


def disputed(text: str) -> bool:
    """Whether terminals may disagree with us over the text's width."""
    return not text.isascii() and any(sign >= "\U0001f000" or category(sign) in _DISPUTED for sign in text)


def anchored(text: str, width: int, left: int) -> str:
    """The text, which fills `width` cells from the screen's column `left` (from 0) on, with its two anchors."""
    return f"{_CLEAR}{_number(width)}{text}{_GO}{_number(left + width + 1)}"


def _number(number: int) -> str:
    return "".join(chr(_DIGIT + digit) for digit in divmod(number, _BASE))


def orders(data: str) -> str:
    """What goes to the terminal: anchors as control sequences (ECMA-48 ECH and CHA). Half an anchor vanishes."""
    return _REST.sub("", re.sub(_ORDER, _order, data)) if _REST.search(data) else data


def _order(found: re.Match[str]) -> str:
    sign, high, low = found.groups()
    number = (ord(high) - _DIGIT) * _BASE + ord(low) - _DIGIT
    return f"\x1b[{number}{'X' if sign == _CLEAR else 'G'}"


def anchoring(driver: type[Driver]) -> type[Driver]:
    """The driver, with anchors made into orders on the way out."""

    class Anchoring(driver):
        def write(self, data: str) -> None:
            super().write(orders(data))

    return cast("type[Driver]", Anchoring)

"""Width anchors: columns stay aligned where terminals differ in the width of a text (Indic marks, joined emoji, …).

Such a text is written between two anchors: zero-width characters, which survive Textual's cropping, with the columns of
its beginning and end. On output its cells are cleared before, and the cursor is moved to the column after it, whatever
was drawn. Where a dialog covers one end, the other anchor suffices.
`presentation` removes these characters from all text of services.
"""

import re
from typing import cast
from unicodedata import category

from rich.cells import cell_len
from textual.driver import Driver

_CLEAR, _MOVE = "\u2061", "\u2062"
"""Invisible mathematical operators: no terminal gives them a cell, and `clean` removes them from all text."""
_DIGIT, _BASE = 0xE0020, 90
"""A number follows as two digits of base 90, each a tag character: zero-width and removed by `clean`, too."""
_ANCHOR = "{}([\U000e0020-\U000e0079])([\U000e0020-\U000e0079])"
_ANCHOR_CHARACTERS = re.compile("[\u2061\u2062\U000e0020-\U000e0079]")
_STYLE = r"\x1b\[[\d;:]*m"
_ANCHORED = re.compile(
    f"{_ANCHOR.format(_CLEAR)}((?:[^\x1b\r\n{_CLEAR}{_MOVE}]|{_STYLE})*)(?:{_ANCHOR.format(_MOVE)})?"
)
"""A text up to its second anchor; without that one, with all that follows up to the next cursor movement."""
_LONE_MOVE = re.compile(_ANCHOR.format(_MOVE))

_AMBIGUOUS_CATEGORIES = frozenset({"Mc", "Mn", "Me", "Cf"})


def has_ambiguous_width(text: str) -> bool:
    """Return whether terminals may draw the text in another width than computed."""
    return not text.isascii() and any(sign >= "\U0001f000" or category(sign) in _AMBIGUOUS_CATEGORIES for sign in text)


def add_anchors(text: str, width: int, left: int) -> str:
    """Return the text with its anchors; it fills `width` cells from the screen's column `left` (from 0) on."""
    return f"{_CLEAR}{_encode_number(left)}{text}{_MOVE}{_encode_number(left + width)}"


def _encode_number(number: int) -> str:
    return "".join(chr(_DIGIT + digit) for digit in divmod(number, _BASE))


def _decode_number(high: str, low: str) -> int:
    return (ord(high) - _DIGIT) * _BASE + ord(low) - _DIGIT


def to_escape_codes(data: str) -> str:
    """Replace anchors by control sequences (ECMA-48 ECH and CHA). Incomplete anchors are removed."""
    if not _ANCHOR_CHARACTERS.search(data):
        return data
    data = _LONE_MOVE.sub(lambda found: _move_to(_decode_number(*found.groups())), _ANCHORED.sub(_align, data))
    return _ANCHOR_CHARACTERS.sub("", data)


def _align(found: re.Match[str]) -> str:
    """Return the text, each of its runs of one style in the cells that it was given."""
    high, low, text, *_ = found.groups()
    column, aligned = _decode_number(high, low), ""
    for run in re.split(f"({_STYLE})", text):
        width = 0 if run.startswith("\x1b") else cell_len(run)
        column += width
        aligned += f"\x1b[{width}X{run}{_move_to(column)}" if width else run
    return aligned


def _move_to(column: int) -> str:
    return f"\x1b[{column + 1}G"


def width_anchors(driver: type[Driver]) -> type[Driver]:
    """Return a subclass of the driver that replaces anchors on output."""

    class WidthAnchors(driver):
        def write(self, data: str) -> None:
            super().write(to_escape_codes(data))

    return cast("type[Driver]", WidthAnchors)

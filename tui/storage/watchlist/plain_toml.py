"""Parser of plain watchlists, which are nearly all: one statement a line, under `[[job]]` only, with simple values.

It takes a sixth of `tomllib`'s time, and leaves every other text to it, also an invalid one: its errors have a line.
"""

import re
from datetime import datetime
from typing import Any

MIN_LENGTH = 30_000
"""Characters from which on a text takes longer in `tomllib` than the pattern to be compiled."""
_HEAD = "[[job]]"
_CHARACTER = r"[^\x00-\x08\x0a-\x1f\x7f"
_STRING = rf"""(?:"{_CHARACTER}"\\]*+"|'{_CHARACTER}']*+')"""
_LINE = rf"""(?xm) ^ [ \t]*+ (?:
        ( \[\[job\]\] )
      | ( [A-Za-z0-9_-]++ ) [ \t]*+ = [ \t]*+ (
            {_STRING}
          | \[ [ \t]*+ (?: {_STRING} (?: [ \t]*+ , [ \t]*+ {_STRING} )* [ \t]*+ )? \]
          | true | false
          | [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z
        )
    )? [ \t]*+ (?: \# {_CHARACTER}]*+ )? $"""
"""Line with a header, or a key and its value, or neither.

No group is possessive: in Python 3.11.2, one that fails halfway leaves the position there, and `x` is an empty line.
"""


def parse_long(text: str) -> dict[str, Any] | None:
    """Return what `parse_plain` returns for a long text; None for a short one."""
    return parse_plain(text) if len(text) >= MIN_LENGTH else None


def parse_plain(text: str) -> dict[str, Any] | None:
    """Return what `tomllib` returns for the text; None: it is not plain, and may be invalid."""
    text = text.replace("\r\n", "\n")
    lines: list[tuple[str, str, str]] = re.findall(_LINE, text)
    if len(lines) != text.count("\n") + 1:
        return None
    root: dict[str, Any] = {}
    tables: list[dict[str, Any]] = []
    table = root
    for head, key, value in lines:
        if key:
            if key in table or (key == "job" and table is root):
                return None
            try:
                table[key] = value[1:-1] if value[0] in "\"'" else _parse_value(value)
            except ValueError:
                return None
        elif head:
            tables.append(table := {})
    if tables:
        root["job"] = tables
    return root


def _parse_value(value: str) -> list[str] | bool | datetime:
    """Return strings, a boolean or an instant. Raises ValueError for an instant that does not exist."""
    if value[0] == "[":
        return [each[1:-1] for each in re.findall(_STRING, value)]
    return value == "true" if value[0] in "tf" else datetime.fromisoformat(value)


def plain_heads(text: str) -> list[int]:
    """Return the offset of each line with a `[[job]]` of a plain text, which may begin with a BOM."""
    heads: list[int] = []
    found = text.find(_HEAD)
    while found >= 0:
        line = text.rfind("\n", 0, found) + 1
        if not text[line:found].strip(" \t\ufeff"):  # else it is in a string or a comment
            heads.append(line)
        found = text.find(_HEAD, found + len(_HEAD))
    return heads

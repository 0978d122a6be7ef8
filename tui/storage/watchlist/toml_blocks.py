"""Scanner for the positions of statements and blocks in a TOML text, which `tomllib` has accepted. It reads no values.

Of TOML's grammar it knows what determines the end of a statement (strings, arrays, inline tables, comments), so that a
`[[job]]` inside a string or a comment does not count. Offsets count characters, with BOM and CRLFs.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

BOM = "\ufeff"

_QUOTED = r""" "(?:[^"\\\n]|\\.)*" | '[^'\n]*' """
_STRING = rf""" "{{3}}(?:[^"\\]|\\.|"(?!""))*"{{3,5}} | '{{3}}(?:[^']|'(?!''))*'{{3,5}} | {_QUOTED} """
_KEY = rf""" (?: [^"'\#=\[\]\s] | [ \t] | {_QUOTED} )+ """
# Patterns are text: `re` compiles each at its first use, and a start needs none.
_STATEMENT = rf"""(?xs) [ \t]* (?:
        (?P<head>\[\[?) (?P<table>{_KEY}) \]
      | (?P<key>{_KEY}) = [ \t]* (?P<value> {_STRING} | [^\[{{"'\s][^\#\n]* )?  # without a value: a bracket opens one
    )?"""
_TOKEN = rf"(?xs) {_STRING} | \#[^\n]* | (?P<open>[\[{{]) | (?P<close>[\]}}])"


class Statement(NamedTuple):
    """Header, or key with its value: whole lines, from the start of the first to the end of the last."""

    start: int
    end: int
    """Offset after the line end of its last line, with a comment on that line."""
    bracket: str
    """`[`, `[[`, or empty for a key with its value."""
    path: tuple[str, ...]
    """Parts of the dotted key, without quotes."""
    value_span: tuple[int, int]
    """Start and end of the value; for a header, both are its end."""


class Block(NamedTuple):
    """`[[name]]` with its keys and sub-tables, to the end of its last value."""

    start: int
    end: int
    line: int
    """Line of the header, from 1."""
    keys: tuple[Statement, ...]
    """Keys before the first sub-table."""


class TextEdit(NamedTuple):
    """Replacement for text[start:end]."""

    start: int
    end: int
    text: str


def statements(text: str, start: int = 0, stop: int | None = None) -> Iterator[Statement]:
    """Yield every statement from `start`, a line's start, to `stop`; blank lines and comments are between them."""
    position, statement = max(start, len(BOM) if text.startswith(BOM) else 0), re.compile(_STATEMENT)
    stop = len(text) if stop is None else stop
    while position < stop:
        match = statement.match(text, position)
        assert match  # it can be empty
        value = _value_span(text, match)
        end = text.find("\n", value[1]) + 1 or len(text)
        if name := match["table"] or match["key"]:
            yield Statement(position, end, match["head"] or "", _key_path(name), value)
        position = end


def blocks(text: str, name: str, start: int = 0, stop: int | None = None) -> list[Block]:
    """Return the blocks of the array of tables `name` in a part of the text; a table of another name ends a block."""
    runs: list[list[Statement]] = []
    inside = False
    for statement in statements(text, start, stop):
        if statement.bracket == "[[" and statement.path == (name,):
            runs.append([])
            inside = True
        elif statement.bracket:
            inside = inside and statement.path[0] == name
        if inside:
            runs[-1].append(statement)
    found: list[Block] = []
    line, counted = 1, 0
    for run in runs:
        line, counted = line + text.count("\n", counted, run[0].start), run[0].start
        own = next((place for place, statement in enumerate(run) if place and statement.bracket), len(run))
        found.append(Block(run[0].start, run[-1].end, line, tuple(run[1:own])))
    return found


def first_mention(text: str, name: str) -> int:
    """Return the start of the first header or top-level key that begins with `name`, or 0."""
    top = True
    for statement in statements(text):
        top = top and not statement.bracket
        if (top or statement.bracket) and statement.path[0] == name:
            return statement.start
    return 0


def line_at(text: str, offset: int) -> int:
    """Return the line, from 1, of the character at `offset`."""
    return text.count("\n", 0, offset) + 1


def blank_run_start(text: str, position: int, lower_bound: int) -> int:
    """Return the start of the blank lines that end at `position`, a line's start; not below `lower_bound`."""
    while position > lower_bound:
        line = max(lower_bound, text.rfind("\n", 0, position - 1) + 1)
        if text[line:position].strip():
            break
        position = line
    return position


def blank_run_end(text: str, position: int) -> int:
    """Return the end of the blank lines that start at `position`, a line's start."""
    while position < len(text):
        end = text.find("\n", position) + 1 or len(text)
        if text[position:end].strip():
            break
        position = end
    return position


def line_end(text: str) -> str:
    """Return the line end that the text uses: that of its first line."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def apply_edits(text: str, edits: list[TextEdit]) -> str:
    """Return the text with all edits, which must not overlap; insertions at one offset keep their order."""
    parts: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += text[position : edit.start], edit.text
        position = edit.end
    return "".join([*parts, text[position:]])


def _value_span(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Return start and end of a statement's value; for a header, both are its end."""
    if match["key"] is None:
        return match.end(), match.end()
    if match["value"] is None:
        return match.end(), _bracket_end(text, match.end())
    start = match.start("value")
    return start, start + len(match["value"].rstrip())


def _bracket_end(text: str, start: int) -> int:
    """Return the offset after the bracket that closes the one at `start`."""
    depth = 0
    for token in re.compile(_TOKEN).finditer(text, start):
        if token.lastgroup:
            depth += 1 if token.lastgroup == "open" else -1
            if depth == 0:
                return token.end()
    return len(text)


@lru_cache(maxsize=256)  # a watchlist repeats a few keys: a third of the time of a scan
def _key_path(name: str) -> tuple[str, ...]:
    if '"' not in name and "'" not in name:
        return tuple(part.strip() for part in name.split("."))
    path: list[str] = []
    table: dict[str, Any] | int = tomllib.loads(f"{name} = 0")
    while isinstance(table, dict):
        ((part, table),) = table.items()
        path.append(part)
    return tuple(path)

"""Where statements and blocks stand in a TOML text, to the character. It judges nothing and reads no value.

The text is one that `tomllib` has accepted: of TOML's grammar only what tells where a statement ends matters here
(strings, arrays, inline tables, comments), so that a `[[job]]` inside a string or a comment is none. Offsets count
characters of the text as it is, with its BOM and CRLFs.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

BOM = "\ufeff"

_QUOTED = r""" "(?:[^"\\\n]|\\.)*" | '[^'\n]*' """
_STRING = rf""" "{{3}}(?:[^"\\]|\\.|"(?!""))*"{{3,5}} | '{{3}}(?:[^']|'(?!''))*'{{3,5}} | {_QUOTED} """
_KEY = rf""" (?: [^"'\#=\[\]\s] | [ \t] | {_QUOTED} )+ """
# Patterns are text: `re` compiles each at its first use, and a start needs none.
_STATEMENT = rf"""(?xs) [ \t]* (?:
        (?P<head>\[\[?) (?P<table>{_KEY}) \]
      | (?P<key>{_KEY}) = [ \t]* (?P<value> {_STRING} | [^\[{{"'\s][^\#\n]* )?  # no value: a bracket opens one
    )?"""
_TOKEN = rf"(?xs) {_STRING} | \#[^\n]* | (?P<open>[\[{{]) | (?P<close>[\]}}])"


class Statement(NamedTuple):
    """A header or a key with its value: whole lines, from the first one's start to the last one's end."""

    start: int
    end: int
    """Behind the line end of its last line, a comment on that line included."""
    bracket: str
    """`[`, `[[`, or empty for a key with its value."""
    path: tuple[str, ...]
    """The dotted key, its quotes undone."""
    value_span: tuple[int, int]
    """The value's start and end; of a header both are its end."""


class Block(NamedTuple):
    """One `[[name]]` with its keys and its sub-tables, to the end of its last value."""

    start: int
    end: int
    line: int
    """The header's, from 1."""
    keys: tuple[Statement, ...]
    """Its own keys: those before a first sub-table."""


class TextEdit(NamedTuple):
    """What replaces text[start:end]."""

    start: int
    end: int
    text: str


def statements(text: str) -> Iterator[Statement]:
    """Every statement in order; blank lines and comments are between them."""
    position, statement = len(BOM) if text.startswith(BOM) else 0, re.compile(_STATEMENT)
    while position < len(text):
        match = statement.match(text, position)
        assert match  # it can be empty
        value = _value_span(text, match)
        end = text.find("\n", value[1]) + 1 or len(text)
        if name := match["table"] or match["key"]:
            yield Statement(position, end, match["head"] or "", _key_path(name), value)
        position = end


def blocks(text: str, name: str) -> list[Block]:
    """The blocks of the array of tables `name`; tables of another name end a block."""
    runs: list[list[Statement]] = []
    inside = False
    for statement in statements(text):
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
    """The start of the first header or top-level key that begins with `name`; without one, 0."""
    top = True
    for statement in statements(text):
        top = top and not statement.bracket
        if (top or statement.bracket) and statement.path[0] == name:
            return statement.start
    return 0


def line_at(text: str, offset: int) -> int:
    """The number of the line, from 1, that the character at `offset` stands in."""
    return text.count("\n", 0, offset) + 1


def blank_run_start(text: str, position: int, lower_bound: int) -> int:
    """The start of the run of blank lines that ends at `position`, itself a line's start; not below `floor`."""
    while position > lower_bound:
        line = max(lower_bound, text.rfind("\n", 0, position - 1) + 1)
        if text[line:position].strip():
            break
        position = line
    return position


def blank_run_end(text: str, position: int) -> int:
    """The end of the run of blank lines that starts at `position`, itself a line's start."""
    while position < len(text):
        end = text.find("\n", position) + 1 or len(text)
        if text[position:end].strip():
            break
        position = end
    return position


def line_end(text: str) -> str:
    """The line end that the text uses: its first line's."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def apply_edits(text: str, edits: list[TextEdit]) -> str:
    """The text with all edits made; they do not overlap, and insertions at one place come in their order."""
    parts: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += text[position : edit.start], edit.text
        position = edit.end
    return "".join([*parts, text[position:]])


def _value_span(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Start and end of a statement's value; without one both are the end of what was matched."""
    if match["key"] is None:
        return match.end(), match.end()
    if match["value"] is None:
        return match.end(), _bracket_end(text, match.end())
    start = match.start("value")
    return start, start + len(match["value"].rstrip())


def _bracket_end(text: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`."""
    depth = 0
    for token in re.compile(_TOKEN).finditer(text, start):
        if token.lastgroup:
            depth += 1 if token.lastgroup == "open" else -1
            if depth == 0:
                return token.end()
    return len(text)


def _key_path(name: str) -> tuple[str, ...]:
    if '"' not in name and "'" not in name:
        return tuple(part.strip() for part in name.split("."))
    path: list[str] = []
    table: dict[str, Any] | int = tomllib.loads(f"{name} = 0")
    while isinstance(table, dict):
        ((part, table),) = table.items()
        path.append(part)
    return tuple(path)

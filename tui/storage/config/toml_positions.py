"""On which line of a TOML text a key stands, for messages: tomllib forgets it. A best guess, never a reason to fail."""

import re

_HEADER = r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?"
_PART = r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'"""
_ENTRY = rf"\s*((?:{_PART})(?:\s*\.\s*(?:{_PART}))*)\s*="


def line_of(text: str, where: str) -> int | None:
    """The line, from 1, of `accounts.acme.plan` or `hook[1].url`, or of the nearest table around it.

    None where nothing of it is found. Keys in an array or an inline table are found by what holds them.
    """
    lines = _lines(text)
    while where:
        if where in lines:
            return lines[where]
        around = re.sub(r"(^|\.)[^.\[\]]*$|\[\d+\]$", "", where)
        where = around if around != where else ""  # a name with brackets in it
    return None


def _lines(text: str) -> dict[str, int]:
    """Every key that begins a line, dotted and without quotes, with that line."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.fullmatch(_HEADER, line):
            table = _dotted(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                found.setdefault(table, number)
                table = f"{table}[{counts[table]}]"
            found.setdefault(table, number)
        elif entry := re.match(_ENTRY, line):
            key = _dotted(entry[1])
            found.setdefault(f"{table}.{key}" if table else key, number)
    return found


def _dotted(key: str) -> str:
    return ".".join(part.strip("\"'") for part in re.findall(_PART, key))

"""Line numbers of keys in a TOML text, for messages: tomllib forgets them. The scanner is `watchlist.toml_blocks`."""

import re

from tui.storage.watchlist.toml_blocks import statements


def line_of(text: str, where: str) -> int | None:
    """Return the line, from 1, of `accounts.acme.plan` or `hook[1].url`, or of the nearest table around it.

    Returns None if nothing of it is found. Keys in an array or inline table have the line of the key that holds them.
    `text` is one that tomllib has accepted.
    """
    lines = _lines_by_key(text)
    while where:
        if where in lines:
            return lines[where]
        parent = re.sub(r"(^|\.)[^.\[\]]*$|\[\d+\]$", "", where)
        where = parent if parent != where else ""  # a name with brackets in it
    return None


def _lines_by_key(text: str) -> dict[str, int]:
    """Return the line of every key and table, by dotted key without quotes."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table, line, counted = "", 1, 0
    for statement in statements(text):
        line, counted = line + text.count("\n", counted, statement.start), statement.start
        key = ".".join(statement.path)
        if not statement.bracket:
            found.setdefault(f"{table}.{key}" if table else key, line)
            continue
        found.setdefault(key, line)
        table = key
        if statement.bracket == "[[":
            counts[key] = counts.get(key, -1) + 1
            table = f"{key}[{counts[key]}]"
            found.setdefault(table, line)
    return found

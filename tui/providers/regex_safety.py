"""Bound on the backtracking of a regular expression: the ways in which it can match a short text.

Python's `re` tries them all without a time limit and blocks the program: `^(a+)+$` takes years for 40 characters.
Provider files may come from third parties, so such an expression is rejected.
"""

import re
from math import inf

MAX_BACKTRACKS = 2_000_000
"""Ways to match: some tenths of a second for a text that makes `re` try them all."""

_GROUP_START = r"\((?:\?(?:P?<\w+>|<?[=!]|[:>]))?"
_TOKEN = (
    rf"(?s)(?P<open>{_GROUP_START})|(?P<close>\))|(?P<bar>\|)"
    r"|(?:(?P<sign>[*+?])|\{(?P<least>[0-9]*)(?P<comma>,?)(?P<most>[0-9]*)\})[?+]?"
    r"|(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z]+\)|.)"
)


class _Group:
    """Part of the expression between two brackets, up to the current token."""

    def __init__(self) -> None:
        self.alternatives = 0.0
        """Ways to match the alternatives before the last '|'."""
        self.preceding = 1.0
        """Ways to match the items before the last one."""
        self.last_item = 1.0
        """Ways to match the last item, to which a quantifier applies."""

    def add(self, ways: float) -> None:
        self.preceding *= self.last_item
        self.last_item = ways

    @property
    def total(self) -> float:
        return self.alternatives + self.preceding * self.last_item


def max_backtracks(expression: str, max_length: int) -> float:
    """Return an upper bound on the ways in which an expression that compiles matches within `max_length` characters.

    Infinite beyond the range of a float.
    """
    groups = [_Group()]
    for token in re.finditer(_TOKEN, expression):
        group = groups[-1]
        match token.lastgroup:
            case "open":
                groups.append(_Group())
            case "close" if len(groups) > 1:
                groups.pop()
                groups[-1].add(group.total)
            case "bar":
                group.alternatives, group.preceding, group.last_item = group.total, 1.0, 1.0
            case "atom":
                group.add(1)
            case _:
                group.last_item = _repeat(group.last_item, *_repeat_bounds(token, max_length))
    anchored = expression.startswith(("^", r"\A")) and not groups[0].alternatives
    return groups[0].total * (1 if anchored else max_length)


def _repeat_bounds(token: re.Match[str], max_length: int) -> tuple[int, int]:
    """Return the least and the greatest count of a quantifier."""
    if token["sign"]:
        return {"*": (0, max_length), "+": (1, max_length), "?": (0, 1)}[token["sign"]]
    least = int(token["least"] or 0)
    most = int(token["most"] or max_length) if token["comma"] else least
    return min(least, max_length), min(most, max_length)


def _repeat(ways: float, least: int, most: int) -> float:
    """Return the ways to match a repetition of an item that has `ways`."""
    try:
        return (most - least + 1) * ways**most
    except OverflowError:
        return inf

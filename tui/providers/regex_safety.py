"""How much work a regular expression can make: a bound on the ways in which it can match a short text.

Python's `re` tries them one after the other, holds the whole program meanwhile and knows no time limit: `^(a+)+$`
takes years for forty characters. A provider file may come from anywhere, so an expression that could is refused.
"""

import re
from math import inf

MAX_BACKTRACKS = 2_000_000
"""Ways: some tenths of a second, for a text made to have them all tried."""

_GROUP_START = r"\((?:\?(?:P?<\w+>|<?[=!]|[:>]))?"
_TOKEN = (
    rf"(?s)(?P<open>{_GROUP_START})|(?P<close>\))|(?P<bar>\|)"
    r"|(?:(?P<sign>[*+?])|\{(?P<least>[0-9]*)(?P<comma>,?)(?P<most>[0-9]*)\})[?+]?"
    r"|(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z]+\)|.)"
)


class _Group:
    """What stands between two brackets, as far as it is read."""

    def __init__(self) -> None:
        self.alternatives = 0.0
        """Ways of the alternatives before the last '|'."""
        self.preceding = 1.0
        """Ways of what stands before the last item."""
        self.last_item = 1.0
        """Ways of the last item, to which a sign of repetition belongs."""

    def add(self, ways: float) -> None:
        self.preceding *= self.last_item
        self.last_item = ways

    @property
    def total(self) -> float:
        return self.alternatives + self.preceding * self.last_item


def max_backtracks(expression: str, max_length: int) -> float:
    """In how many ways, at most, an expression that compiles can match within `longest` characters, from any start.

    Infinite where that is more than a float holds.
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
    """How often a repetition stands, at least and at most."""
    if token["sign"]:
        return {"*": (0, max_length), "+": (1, max_length), "?": (0, 1)}[token["sign"]]
    least = int(token["least"] or 0)
    most = int(token["most"] or max_length) if token["comma"] else least
    return min(least, max_length), min(most, max_length)


def _repeat(ways: float, least: int, most: int) -> float:
    """Ways of a repetition of what has so many."""
    try:
        return (most - least + 1) * ways**most
    except OverflowError:
        return inf

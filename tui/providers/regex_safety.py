"""How much work a regular expression can make: a bound on the ways in which it can match a short text.

Python's `re` tries them one after the other, holds the whole program meanwhile and knows no time limit: `^(a+)+$`
takes years for forty characters. A provider file may come from anywhere, so an expression that could is refused.
"""

import re
from math import inf

MOST = 2_000_000
"""Ways: some tenths of a second, for a text made to have them all tried."""

_OPENING = r"\((?:\?(?:P?<\w+>|<?[=!]|[:>]))?"
_TOKEN = (
    rf"(?s)(?P<open>{_OPENING})|(?P<close>\))|(?P<bar>\|)"
    r"|(?:(?P<sign>[*+?])|\{(?P<least>[0-9]*)(?P<comma>,?)(?P<most>[0-9]*)\})[?+]?"
    r"|(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z]+\)|.)"
)


class _Group:
    """What stands between two brackets, as far as it is read."""

    def __init__(self) -> None:
        self.others = 0.0
        """Ways of the alternatives before the last '|'."""
        self.before = 1.0
        """Ways of what stands before the last item."""
        self.last = 1.0
        """Ways of the last item, to which a sign of repetition belongs."""

    def add(self, ways: float) -> None:
        self.before *= self.last
        self.last = ways

    @property
    def ways(self) -> float:
        return self.others + self.before * self.last


def ways(expression: str, longest: int) -> float:
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
                groups[-1].add(group.ways)
            case "bar":
                group.others, group.before, group.last = group.ways, 1.0, 1.0
            case "atom":
                group.add(1)
            case _:
                group.last = _repeated(group.last, *_counts(token, longest))
    anchored = expression.startswith(("^", r"\A")) and not groups[0].others
    return groups[0].ways * (1 if anchored else longest)


def _counts(token: re.Match[str], longest: int) -> tuple[int, int]:
    """How often a repetition stands, at least and at most."""
    if token["sign"]:
        return {"*": (0, longest), "+": (1, longest), "?": (0, 1)}[token["sign"]]
    least = int(token["least"] or 0)
    most = int(token["most"] or longest) if token["comma"] else least
    return min(least, longest), min(most, longest)


def _repeated(ways: float, least: int, most: int) -> float:
    """Ways of a repetition of what has so many."""
    try:
        return (most - least + 1) * ways**most
    except OverflowError:
        return inf

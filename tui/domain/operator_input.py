"""Parsers of what an operator types: durations, and the known word nearest to an unknown one."""

import re
from collections.abc import Iterable

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION_EXAMPLES = "90s, 30m, 24h or 7d"
"""For messages about a text that is no duration."""


def parse_duration(text: str) -> float | None:
    """Return the seconds in `90s`, `30m`, `24h` or `7d`; None: the text is no duration."""
    match = re.fullmatch(r"([0-9]{1,6}) ?([smhd])", text)
    return float(int(match[1]) * _UNIT_SECONDS[match[2]]) if match else None


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the one of `words` that is spelt most like `word`; None: none is similar."""
    from difflib import get_close_matches  # 3 ms, and only errors need it

    return next(iter(get_close_matches(word, tuple(words), n=1)), None)

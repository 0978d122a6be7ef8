"""Segments of a line: fitted cells, merged texts, scrollbar thumb."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style

from tui.dashboard.terminal.width_anchors import add_anchors, has_ambiguous_width
from tui.presentation.cell_width import fit_to_width

AMBIGUOUS_WIDTH_START = "\u0590"
"""First character from which on terminals may draw with a fallback font, wider or narrower."""

StyledText = tuple[str, Style, bool]
"""Text, its style, and whether a font may draw it wider or narrower than its cells."""


@lru_cache(maxsize=2048)
def fit_cell(text: str, width: int, align_right: bool, ellipsis: str, screen_column: int) -> tuple[str, bool]:
    """Return the text fitted to `width` cells, with width anchors if needed, and whether its width is ambiguous.

    Cached, since most rows repeat the cells of others: to fit them each time was most of their cost.
    """
    fitted = fit_to_width(text, width, align_right=align_right, ellipsis=ellipsis)
    if has_ambiguous_width(fitted):
        fitted = add_anchors(fitted, width, screen_column)
    return fitted, max(fitted, default="") >= AMBIGUOUS_WIDTH_START


def highlight_matches(text: StyledText, pattern: re.Pattern[str], style: Style) -> Iterator[StyledText]:
    """Yield the text in parts: what the pattern finds has the other style."""
    whole, plain, is_ambiguous = text
    end = 0
    for found in pattern.finditer(whole):
        if found.start() > end:
            yield whole[end : found.start()], plain, is_ambiguous
        yield found[0], style, is_ambiguous
        end = found.end()
    if end < len(whole):
        yield whole[end:], plain, is_ambiguous


def scrollbar_thumb(height: int, top: int, total: int) -> range:
    """Return the lines of the thumb for `total` lines scrolled to `top`; none if all lines fit."""
    if total <= height:
        return range(0)
    length = max(1, height * height // total)
    start = round((height - length) * top / (total - height))
    return range(start, start + length)


def merge_segments(texts: Iterable[StyledText]) -> Iterator[Segment]:
    """Yield neighbours of one style as one segment: each costs Textual time, and the terminal some twenty bytes.

    A text of ambiguous width stays alone, so that in a picture it shifts nothing else.
    """
    merged, style, is_alone = "", None, False
    for text, next_style, is_ambiguous in texts:
        if merged and (next_style is not style or is_ambiguous or is_alone):
            yield Segment(merged, style)
            merged = ""
        merged, style, is_alone = merged + text, next_style, is_ambiguous
    yield Segment(merged, style)

"""Pieces of text as the segments of a line, and what of a cell is the same in many lines."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style

from tui.dashboard.terminal.width_anchors import add_anchors, has_ambiguous_width
from tui.presentation.cell_width import fit_to_width

AMBIGUOUS_WIDTH_START = "\u0590"
"""From this character on, scripts and signs are drawn by other fonts than the rest."""

StyledText = tuple[str, Style, bool]
"""Text in one style, and whether a font may draw it wider or narrower than it is."""


@lru_cache(maxsize=2048)
def fit_cell(said: str, width: int, right: bool, cut: str, left: int) -> tuple[str, bool]:
    """A cell of `width` as it is written from the screen's column `left` on, and whether a font may draw it uneven.

    Most rows say again what they, or others, have just said: to measure and fit that anew was most of their cost.
    """
    text = fit_to_width(said, width, align_right=right, ellipsis=cut)
    if has_ambiguous_width(text):
        text = add_anchors(text, width, left)
    return text, max(text, default="") >= AMBIGUOUS_WIDTH_START


def scrollbar_thumb(height: int, top: int, total: int) -> range:
    """The lines of a scrollbar's thumb, where `total` lines are scrolled to `top`; none where everything fits."""
    if total <= height:
        return range(0)
    length = max(1, height * height // total)
    start = round((height - length) * top / (total - height))
    return range(start, start + length)


def merge_segments(texts: Iterable[StyledText]) -> Iterator[Segment]:
    """Neighbours in the same style as one segment: each costs Textual time, and the terminal some twenty bytes.

    Text that a font may draw wider or narrower stays by itself, so that in a picture it moves nothing else.
    """
    text, style, alone = "", None, False
    for more, next_style, uneven in texts:
        if text and (next_style is not style or uneven or alone):
            yield Segment(text, style)
            text = ""
        text, style, alone = text + more, next_style, uneven
    yield Segment(text, style)

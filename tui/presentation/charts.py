"""Charts of block characters: a histogram of durations on a logarithmic axis. Colours are the caller's."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tui.presentation import formatting

_TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400, 172800, 432000, 864000)
"""Seconds that are named below an axis, where there is room."""
_MIN_SECONDS = 0.5
"""Seconds: a shorter duration is drawn as this."""
_MARGIN = 1.15
"""Factor by which the axis goes past the shortest and the longest duration."""


class Histogram(NamedTuple):
    """Numbers of durations in the cells of a logarithmic axis."""

    counts: tuple[int, ...]
    low: float
    """Seconds at which the axis begins."""
    high: float
    """Seconds at which it ends."""

    def cell_of(self, seconds: float) -> int:
        """Return the cell of a duration; of one beyond the axis, the nearest."""
        share = math.log(max(_MIN_SECONDS, seconds) / self.low) / math.log(self.high / self.low)
        return min(len(self.counts) - 1, max(0, int(share * len(self.counts))))

    def rows(self, height: int, *, ascii_only: bool = False) -> list[str]:
        """Return the bars in `height` lines, from top to bottom."""
        signs = " .:|" if ascii_only else " ▁▂▃▄▅▆▇█"
        steps = len(signs) - 1
        levels = [-(-count * height * steps // max(1, *self.counts)) for count in self.counts]
        return [
            "".join(signs[min(steps, max(0, level - row * steps))] for level in levels)
            for row in reversed(range(height))
        ]

    def axis(self, cell_width: int = 1) -> str:
        """Return the line of labels, each of which begins at its duration. A cell has `cell_width` characters."""
        line = ""
        for seconds in _TICKS:
            at, label = self.cell_of(seconds) * cell_width, formatting.age(seconds)
            is_within = self.low <= seconds <= self.high
            if is_within and (not line or at > len(line)) and at + len(label) <= len(self.counts) * cell_width:
                line = line.ljust(at) + label
        return line


def histogram(durations: Sequence[float], cells: int, others: Iterable[float] = ()) -> Histogram:
    """Return the histogram of durations in so many cells. The axis also covers the `others`."""
    covered = [max(_MIN_SECONDS, seconds) for seconds in (*durations, *others)]
    found = Histogram((0,) * cells, min(covered) / _MARGIN, max(covered) * _MARGIN)
    counts = [0] * cells
    for seconds in durations:
        counts[found.cell_of(seconds)] += 1
    return found._replace(counts=tuple(counts))

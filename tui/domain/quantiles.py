"""Sketch of a distribution of positive numbers: counts in bins that grow by a constant factor.

A quantile is off by at most RELATIVE_ERROR, whatever the numbers are, and to add one takes constant time. As in
DDSketch (Masson, Rim, Lee 2019).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

RELATIVE_ERROR = 0.02
"""Share by which a quantile may be off."""
MIN_VALUE = 1e-3
"""Smaller numbers count as this."""

_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GROWTH = math.log(_GROWTH)


def bin_of(value: float) -> int:
    """Return the bin of a number."""
    return math.ceil(math.log(max(MIN_VALUE, value)) / _LOG_GROWTH)


def merge(sketches: Iterable[Mapping[int, int]]) -> Counter[int]:
    """Return the counts of all sketches, by bin."""
    total = Counter[int]()
    for sketch in sketches:
        for each, count in sketch.items():
            total[each] += count
    return total


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the number that `share` (0 to 1) of all numbers do not exceed; None: there are no numbers."""
    rank = math.ceil(share * sum(counts.values()))
    for each in sorted(counts):
        rank -= counts[each]
        if rank <= 0:
            return 2 * _GROWTH**each / (_GROWTH + 1)
    return None

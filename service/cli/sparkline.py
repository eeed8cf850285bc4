"""A series of numbers as a line of block characters, as Edward Tufte's sparklines."""

import math
from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """The values, the oldest first, in at most `width` characters: each is the mean of its share of them.

    If all values are positive the scale is logarithmic, so that a loss that falls fast at first still shows what follows.
    """
    shown = [value for value in values if math.isfinite(value)]
    if not shown or width < 1:
        return ""
    count = min(width, len(shown))
    cuts = [len(shown) * number // count for number in range(count + 1)]
    means = [math.fsum(shown[one:other]) / (other - one) for one, other in pairwise(cuts)]
    if min(means) > 0:
        means = [math.log(mean) for mean in means]
    low, high = min(means), max(means)
    if high == low:
        return BLOCKS[0] * count
    return "".join(BLOCKS[min(int((mean - low) / (high - low) * len(BLOCKS)), len(BLOCKS) - 1)] for mean in means)

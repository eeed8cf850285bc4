"""How much of what trials come to hangs on each of their settings alone."""

from collections.abc import Hashable, Sequence

import numpy as np

FEWEST = 8  # trials, with fewer chance decides
BINS = 4  # of numbers, with as many trials in each


def setting_importance(values: Sequence[float | Hashable], losses: Sequence[float]) -> float:
    """The share of the variance of the trials' ranks that the groups of one setting explain, from 0 to 1: epsilon squared
    (Kelley, "An unbiased correlation ratio measure", PNAS 21, 1935), which is near 0 where there is no dependence. Ranks, as
    a few very bad trials would rule everything else. Two settings that only count together have no importance alone.

    Args:
        values: of the setting, one a trial: numbers, which fall into four groups by their size, or anything else, each value
            a group of its own.
        losses: of the trials.
    """
    ranks = np.asarray(losses).argsort(kind="stable").argsort(kind="stable").astype(np.float64)
    groups = _groups(values)
    count, found = len(ranks), np.unique(groups)
    total = float(((ranks - ranks.mean()) ** 2).sum())
    if len(found) < 2 or count <= len(found) or total == 0:
        return 0.0
    within = sum(float(((ranks[groups == each] - ranks[groups == each].mean()) ** 2).sum()) for each in found)
    between = total - within
    return max(0.0, (between - (len(found) - 1) * within / (count - len(found))) / total)


def _groups(values: Sequence[float | Hashable]) -> np.ndarray:
    """The group of each value, by a number."""
    different = list(dict.fromkeys(values))
    if all(isinstance(each, float) for each in values) and len(different) > BINS:
        order = np.asarray(values, dtype=np.float64).argsort(kind="stable").argsort(kind="stable")
        return order * BINS // len(values)
    place = {each: at for at, each in enumerate(different)}
    return np.array([place[each] for each in values])

"""Rows of the evaluated parts that are also in the training part."""

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from service.workflow.data.table import Numbers
from service.workflow.split import Split

MOST_ROWS = 200_000  # of a part that are compared, evenly spaced
MOST_NUMBERS = 20_000_000  # of a part that are hashed
FEWEST_COPIES = 5
FEWEST_SHARE = 0.02  # of the part
FEWEST_DISTINCT = 0.1  # of the training rows; where fewer are, the features hardly tell rows apart
MORE_THAN_CHANCE = 5  # times what independent columns would give: columns that depend on each other give more
DEVIATIONS = 3
MOST_LEFT_OUT = 20  # columns that are left out in turn
MIXERS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93))  # odd numbers without a pattern
SHIFT = np.uint64(32)


def warn_of_copies(features: Tensor, parts: Split) -> Iterator[str]:
    """A sentence for the test and the validation part of which many rows are equal in all features to one of the training part,
    and more than chance explains where features have few values.

    Args:
        features: the raw features [n, w], NaN for a missing value.
    """
    values = features.numpy()
    train = values[_sampled(parts.train.numpy(), values.shape[1])]
    hashes = _hashes(train)
    known = np.unique(hashes)
    if len(known) < FEWEST_DISTINCT * len(train):
        return
    equal = [_equal_pairs(column) for column in train.T]
    for name in ("test", "validation"):
        rows = values[_sampled(parts.part(name).numpy(), values.shape[1])]
        count = int(np.isin(_hashes(rows), known).sum())
        if count < max(FEWEST_COPIES, FEWEST_SHARE * len(rows)):
            continue
        chance = max(_if_independent(equal, len(train), len(rows)), _by_chance(train, rows, count, equal))
        if count > chance + DEVIATIONS * chance**0.5:  # which is about the standard deviation of such a count
            what = (
                f"{count} of {len(rows)} rows of the {name} part ({count / len(rows):.0%}) are equal to training rows"
            )
            advice = "Remove the copies, or keep them in one part with `split.group`"
            yield f"{what} in every feature: the metrics say too much good of new rows. {advice}"


def _if_independent(equal: list[float], train: int, rows: int) -> float:
    """How many of the rows are equal to one of the training part if columns are independent, times `MORE_THAN_CHANCE`."""
    return MORE_THAN_CHANCE * rows * min(1.0, float(np.prod(equal)) * train)


def _by_chance(train: Numbers, rows: Numbers, count: int, equal: list[float]) -> float:
    """How many of `count` rows may be equal by chance. Copies stay equal if a column is left out, and no others become so; of
    coarse numbers many more rows are then equal, of which a share is equal in that column, too.

    Args:
        equal: of each column the share of pairs of rows that are equal in it.
    """
    ours, theirs, most = _hashes(train), _hashes(rows), 0.0
    for at in np.argsort(equal, kind="stable")[:MOST_LEFT_OUT].tolist():
        without = np.isin(theirs - _terms(rows[:, at], at), ours - _terms(train[:, at], at)).sum()
        most = max(most, (int(without) - count) * min(1.0, MORE_THAN_CHANCE * equal[at]))
    return most


def _sampled(rows: Numbers, width: int) -> Numbers:
    """The rows, or as many of them, evenly spaced, as are compared."""
    most = min(MOST_ROWS, max(1, MOST_NUMBERS // max(1, width)))
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _hashes(values: Numbers) -> Numbers:
    """A hash of each row [n, w]: the sum of those of its columns, without the carry."""
    made = np.zeros(len(values), np.uint64)
    for at, column in enumerate(values.T):
        made += _terms(column, at)
    return made


def _terms(column: Numbers, position: int) -> Numbers:
    """The hashes of a column's values, others in each column; the same for 0 and -0, and for all NaN."""
    plain = np.where(np.isnan(column), np.nan, column.astype(np.float64) + 0.0)
    salt = _mixed(np.array([position + 1], np.uint64))
    return _mixed(np.ascontiguousarray(plain).view(np.uint64) ^ salt)


def _mixed(numbers: Numbers) -> Numbers:
    """Each bit of the result depends on many bits of the number, and different numbers stay different."""
    for mixer in MIXERS:
        numbers = (numbers ^ (numbers >> SHIFT)) * mixer
    return np.asarray(numbers ^ (numbers >> SHIFT))


def _equal_pairs(column: Numbers) -> float:
    """The share of pairs of rows that have the same value."""
    shares = np.unique(column, return_counts=True)[1] / len(column)
    return float((shares**2).sum())

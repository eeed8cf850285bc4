"""Features that alone predict the target almost perfectly, as what is only known afterwards often does."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from service.workflow.data.table import Numbers, Table, Texts, plain
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.moments import moments
from service.workflow.signature import Signature
from service.workflow.spec_base import shown
from service.workflow.split import Split
from service.workflow.tasks import Task

MOST_ROWS = 20_000  # of a part, evenly spaced
MOST_FEATURES, MOST_TARGETS = 200, 10
FEWEST_ROWS = 20  # of the part that a rule is evaluated on
BINS = 64  # of numbers
ROWS_IN_A_BIN = 10  # at least, on the average
ALMOST = 0.99  # R², or balanced accuracy
MOST_CELLS = 1_000_000  # of a table of bins and classes
NAMED = 5  # features that a warning lists


@dataclass(frozen=True)
class RuleRows:
    """The rows that a rule is made of, and those that it is evaluated on: int64 positions."""

    train: Numbers
    evaluated: Numbers


def warn_of_telling_features(
    signature: Signature, table: Table, targets: Tensor, parts: Split, copies: Mapping[str, Collection[str]]
) -> Iterator[str]:
    """A sentence if a feature alone predicts a target almost perfectly, by a rule of one column: the majority class or the mean
    of each of its values or bins, or a straight line. The rule is made of the training part, and must hold there and on the
    validation part, or else the test part. Of a model with one input that is no warning.

    Args:
        table: has the columns.
        targets: the true values [n, t]; for classes their positions.
        copies: the features that are a target itself, which are not named again.
    """
    rows = _rule_rows(parts)
    inputs = [each for each in signature.inputs if not COLUMN_TYPES[each.type].shaped][:MOST_FEATURES]
    if rows is None or len(signature.inputs) < 2:
        return
    for position, output in enumerate(signature.outputs[:MOST_TARGETS]):
        truth = targets[:, position].numpy()
        names = [each.name for each in inputs if each.name not in copies.get(output.name, ())]
        found = [name for name in names if _tells(plain(table.columns[name]), truth, signature.task, rows)]
        if found:
            named = ", ".join(map(shown, found[:NAMED])) + (", …" if len(found) > NAMED else "")
            what = f"{named} alone predict{'s' if len(found) == 1 else ''} {shown(output.name)} almost perfectly"
            yield f"{what}: if it is only known when the target is, or is made from it, leave it out of `features`"


def _rule_rows(parts: Split) -> RuleRows | None:
    evaluated = next((each for each in (parts.validation, parts.test) if len(each) >= FEWEST_ROWS), None)
    return None if evaluated is None else RuleRows(_sampled(parts.train.numpy()), _sampled(evaluated.numpy()))


def _sampled(rows: Numbers) -> Numbers:
    return rows if len(rows) <= MOST_ROWS else rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]


def _tells(column: Numbers | Texts, truth: Numbers, task: Task, rows: RuleRows) -> bool:
    """Whether a rule of this column is almost perfect on both parts."""
    bins = _bins(column, rows.train)
    ours, theirs = bins[rows.train], bins[rows.evaluated]
    made, held = truth[rows.train], truth[rows.evaluated]
    if task is not Task.REGRESSION:
        return _of_classes(ours, theirs, made.astype(np.int64), held.astype(np.int64))
    if made.min() == made.max() or held.min() == held.max():
        return False
    made, held = _scaled(made, truth), _scaled(held, truth)
    if _by_bins(ours, theirs, made, held):
        return True
    return not isinstance(column, Texts) and _by_line(column, made, held, rows)


def _bins(column: Numbers | Texts, train: Numbers) -> Numbers:
    """The bin of each row, from 0: a text, or a quantile of the training rows; missing values have one of their own."""
    if isinstance(column, Texts):
        return column.codes.astype(np.int64) + 1
    present = column[train][~np.isnan(column[train])]
    if not len(present):
        return np.zeros(len(column), np.int64)
    count = min(BINS, max(2, len(train) // ROWS_IN_A_BIN))
    edges = np.unique(np.quantile(present, np.arange(1, count) / count, method="inverted_cdf"))
    return np.where(np.isnan(column), 0, np.searchsorted(edges, column, side="left") + 1)


def _of_classes(ours: Numbers, theirs: Numbers, made: Numbers, held: Numbers) -> bool:
    """By the most frequent class of each bin; a bin without training rows has the most frequent one of all."""
    size, classes = int(max(ours.max(), theirs.max())) + 1, int(max(made.max(), held.max())) + 1
    if size * classes > MOST_CELLS:
        return False
    counts = np.bincount(ours * classes + made, minlength=size * classes).reshape(size, classes)
    rule = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), counts.sum(axis=0).argmax())
    return _balanced(rule[ours], made) >= ALMOST and _balanced(rule[theirs], held) >= ALMOST


def _balanced(answered: Numbers, truth: Numbers) -> float:
    """The balanced accuracy; 0 if there is only one class, of which nothing can be said."""
    present, at = np.unique(truth, return_inverse=True)
    if len(present) < 2:
        return 0.0
    right = np.bincount(at, weights=answered == truth) / np.bincount(at)
    return float(right.mean())


def _scaled(values: Numbers, all_values: Numbers) -> Numbers:
    """Numbers of any size near 1."""
    mean, std = moments(torch.from_numpy(np.ascontiguousarray(all_values, np.float64))[:, None])
    return np.asarray(values / std.item() - mean.item() / std.item())


def _by_bins(ours: Numbers, theirs: Numbers, made: Numbers, held: Numbers) -> bool:
    size = int(max(ours.max(), theirs.max())) + 1
    counts = np.bincount(ours, minlength=size)
    means = np.where(counts > 0, np.bincount(ours, weights=made, minlength=size) / np.maximum(counts, 1), made.mean())
    if (counts > 0).sum() * 2 > len(ours):  # a value for nearly each row
        return False
    return _r2(means[ours], made) >= ALMOST and _r2(means[theirs], held) >= ALMOST


def _by_line(column: Numbers, made: Numbers, held: Numbers, rows: RuleRows) -> bool:
    known = column[~np.isnan(column)].astype(np.float64)
    if not len(known) or known.min() == known.max():
        return False
    x = np.nan_to_num(_scaled(column.astype(np.float64), known))
    ours, theirs = x[rows.train], x[rows.evaluated]
    centred = ours - ours.mean()
    spread = float((centred**2).mean())
    if spread == 0:
        return False
    slope = float((centred * (made - made.mean())).mean()) / spread
    start = made.mean() - slope * ours.mean()
    return _r2(start + slope * ours, made) >= ALMOST and _r2(start + slope * theirs, held) >= ALMOST


def _r2(answered: Numbers, truth: Numbers) -> float:
    spread = float(((truth - truth.mean()) ** 2).mean())
    return 1 - float(((answered - truth) ** 2).mean()) / spread if spread > 0 else 0.0

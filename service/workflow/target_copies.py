"""Features that are the target itself: with other names for its classes, or in another unit."""

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from service.workflow.data.table import Numbers, Table, Texts, plain
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.signature import Signature
from service.workflow.spec_base import shown
from service.workflow.tasks import Task

MOST_ROWS = 20_000  # evenly spaced
MOST_FEATURES, MOST_TARGETS = 200, 10
FEWEST_ROWS = 30  # with a value
FEWEST_OF_A_CLASS = 5
FEWEST_NUMBERS = 3  # different ones
MOST_MISSING = 0.5  # of the rows
EXACT = 1e-6  # of the range of the target
ROUNDINGS = 4 * np.finfo(np.float32).eps  # of the numbers, which tables may keep as float32
NAMED = 5  # features that a warning lists
TELLING = 1e-3  # of the range: where rounding is larger, nothing can be said


def target_copies(signature: Signature, table: Table, targets: Tensor) -> dict[str, list[str]]:
    """For each target the features that are equal to it but for names of values, or for a factor and a constant.

    A feature renames classes or labels if each of its values belongs to one class and each class to one of its values, and each
    class has some rows; it is a number in another unit if all rows are on a straight line, up to rounding. Rows without a value
    of the feature are left out, if they are not most.

    Args:
        table: has the columns.
        targets: the true values [n, t]; for classes their positions.
    """
    if len(signature.inputs) < 2:
        return {}
    rows = np.unique(np.linspace(0, len(table) - 1, min(len(table), MOST_ROWS)).astype(np.int64))
    inputs = [each for each in signature.inputs if not COLUMN_TYPES[each.type].shaped][:MOST_FEATURES]
    columns = {each.name: plain(table.columns[each.name]) for each in inputs}
    found = {}
    for position, output in enumerate(signature.outputs[:MOST_TARGETS]):
        truth = targets[:, position].numpy()[rows]
        same = _on_a_line if signature.task is Task.REGRESSION else _renamed
        if copies := [name for name, column in columns.items() if _present(column, rows, truth, same)]:
            found[output.name] = copies
    return found


def warn_of_target_copies(copies: dict[str, list[str]], task: Task) -> Iterator[str]:
    """A sentence for each target with such features."""
    how = "in another unit or" if task is Task.REGRESSION else "under other names or"
    for target, features in copies.items():
        named = ", ".join(map(shown, features[:NAMED])) + (", …" if len(features) > NAMED else "")
        verb = "is" if len(features) == 1 else "are"
        yield f"{named} {verb} the target {shown(target)} itself, {how} as it is: leave it out of `features`"


def _present(column: Numbers | Texts, rows: Numbers, truth: Numbers, same: "Same") -> bool:
    values = column.codes[rows] if isinstance(column, Texts) else column[rows]
    there = values >= 0 if isinstance(column, Texts) else ~np.isnan(values)
    if there.sum() < max(FEWEST_ROWS, (1 - MOST_MISSING) * len(rows)):
        return False
    return same(values[there].astype(np.float64), truth[there], isinstance(column, Texts))


def _renamed(values: Numbers, truth: Numbers, texts: bool) -> bool:
    """Whether values and classes belong to each other one by one."""
    classes, rows = np.unique(truth, return_counts=True)
    if len(classes) < 2 or rows.min() < FEWEST_OF_A_CLASS or len(np.unique(values)) != len(classes):
        return False
    return len(np.unique(np.stack([values, truth]), axis=1).T) == len(classes)


def _on_a_line(values: Numbers, truth: Numbers, texts: bool) -> bool:
    """Whether the truth is a straight-line function of the numbers."""
    if texts or len(np.unique(values)) < FEWEST_NUMBERS:
        return False
    if truth.min() == truth.max():
        return False
    return _fits(values / np.abs(values).max(), truth / np.abs(truth).max())


def _fits(x: Numbers, y: Numbers) -> bool:
    low, high = int(x.argmin()), int(x.argmax())
    slope = (y[high] - y[low]) / (x[high] - x[low])
    spread = float(np.ptp(y))
    rounding = ROUNDINGS * (1 + abs(slope))
    if rounding > TELLING * spread:
        return False
    return bool(np.abs(y - y[low] - slope * (x - x[low])).max() <= EXACT * spread + rounding)


Same = Callable[[Numbers, Numbers, bool], bool]

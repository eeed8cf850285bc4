"""Cross-validation: divides rows into folds, each of which validates a network that learns from the others."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from service.workflow.data.table import Numbers

FOLDS = 5
MOST_FOLDS = 20
FEWEST_LEARNED = 2  # rows that a network learns from: some layers compare the rows of a batch
MOST_BAGGED = (
    5  # folds whose networks answer together when the spec does not say: each of them takes time in every prediction
)


@dataclass(frozen=True)
class Fold:
    """The rows that one network learns from, and those that validate it, as int64 indices into the table."""

    train: Tensor
    validation: Tensor


def in_turn(codes: Numbers, folds: int) -> Numbers:
    """The fold of each row, so that rows of equal code are in each fold as often, or once more: those of the first code are
    dealt out one by one, then those of the next. The folds' sizes differ by at most one."""
    made = np.empty(len(codes), np.int64)
    made[np.argsort(codes, kind="stable")] = np.arange(len(codes)) % folds
    return made


def in_blocks(rows: int, blocks: int) -> Numbers:
    """The block of each row: rows that follow each other, in blocks whose sizes differ by at most one."""
    return np.arange(rows) * blocks // max(rows, 1)


def of_groups(groups: Numbers, order: Numbers, folds: int) -> Numbers:
    """The fold of each row, where a group stays whole: the largest group first, each goes to the fold with the fewest rows.

    Args:
        groups: of each row, 0 … g - 1; a number may have no rows.
        order: of the g groups, by which those of one size follow each other.
    """
    sizes = np.bincount(groups, minlength=len(order))
    filled, fold_of = np.zeros(folds, np.int64), np.zeros(len(order), np.int64)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]

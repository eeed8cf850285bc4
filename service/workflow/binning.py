"""Counts raw features and answers in the bins of a reference, as it is made and while its version predicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.reference import ColumnReference, Reference
from service.workflow.signature import Output, Signature
from service.workflow.tasks import LABEL_THRESHOLD, Task

Numbers = np.ndarray[Any, Any]


def table_columns(signature: Signature) -> dict[str, int]:
    """The inputs that are columns of the raw features, by name with the first of their raw columns. That of a time has its
    days, the others follow from it."""
    found, start = {}, 0
    for each in signature.inputs:
        kind = COLUMN_TYPES[each.type]
        if not kind.shaped:
            found[each.name] = start
            start += kind.raw_columns
    return found


def answer_columns(signature: Signature, answers: Numbers) -> Numbers:
    """The answers that are counted, float64 [outputs, n]: numbers, the position from 1 of the most probable class, or 1 and 2 for
    a label that is not predicted and one that is; NaN where there is none.

    Args:
        signature: of the model.
        answers: as the model gives them, [n, k].
    """
    if signature.classifies:
        return np.where(np.isnan(answers).any(axis=1), np.nan, answers.argmax(axis=1) + 1.0)[np.newaxis]
    if signature.task is Task.MULTILABEL:
        return np.where(np.isnan(answers), np.nan, 1.0 + (answers > LABEL_THRESHOLD)).T
    return answers.astype(np.float64, copy=False).T


def codes_of(signature: Signature, output: Output) -> int | None:
    """The codes of an output, from 1; None if it is a number."""
    if signature.task is Task.MULTILABEL:
        return 2
    return None if output.classes is None else len(output.classes)


class Binning:
    """Counts rows in the cells of a reference: for each watched input, then for each watched output, those of
    `ColumnReference.cells`, one after another. Thread-safe.

    Args:
        signature: of the model.
        reference: whose columns are those of the signature.
    """

    def __init__(self, signature: Signature, reference: Reference) -> None:
        places, outputs = table_columns(signature), [each.name for each in signature.outputs]
        self._signature = signature
        self._raw_at = [places[each.name] for each in reference.inputs if each.name in places]
        self._answers_at = [outputs.index(each.name) for each in reference.answers]
        inputs = [each for each in reference.inputs if each.name in places]
        self._columns = [_Cells(each) for each in (*inputs, *reference.answers)]
        sizes = [each.size for each in self._columns]
        self._starts = np.cumsum([0, *sizes])
        self.cells = sum(sizes)
        self.width = len(self._columns)

    def count(self, raw: Numbers | None, answers: Numbers) -> Numbers:
        """The rows in each cell, int64 [cells].

        Args:
            raw: features [n, w]; None if no input is a column.
            answers: as the model gives them, [n, k].
        """
        columns: list[Numbers] = []
        if raw is not None and self._raw_at:
            columns += [*np.ascontiguousarray(raw.T[self._raw_at])]
        counted = answer_columns(self._signature, answers)
        columns += [counted[at] for at in self._answers_at]
        at = np.empty((self.width, len(answers)), np.intp)
        for row, column, cells, start in zip(at, columns, self._columns, self._starts, strict=False):
            np.add(cells.of(column), start, out=row)
        return np.bincount(at.ravel(), minlength=self.cells)

    def split(self, counts: Sequence[int] | Numbers) -> list[list[int]]:
        """The counts of each column, from those of all cells."""
        return [[int(each) for each in counts[a:b]] for a, b in zip(self._starts, self._starts[1:], strict=False)]

    @staticmethod
    def of_column(of: ColumnReference, values: Numbers) -> list[int]:
        """The values [n] in each of `ColumnReference.cells`."""
        cells = _Cells(of)
        return [int(each) for each in np.bincount(cells.of(values), minlength=cells.size)]


class _Cells:
    """The cell of each value of a column."""

    def __init__(self, of: ColumnReference) -> None:
        self.size = len(of.cells)
        self._edges: Numbers | None = None
        missing, unknown, other = self.size - 2, self.size - 1, len(of.counts) - 1
        if of.codes is None:
            # NaN is sorted after infinity, and so gets the cell after the last bin: that of missing values.
            self._edges = np.array([*(of.edges or []), np.inf])
        else:
            self._by_code = np.full(max(of.codes, default=0) + 3, other, np.intp)
            self._by_code[of.codes] = np.arange(len(of.codes))
            self._by_code[0], self._by_code[-1] = unknown, missing

    def of(self, column: Numbers) -> Numbers:
        """The cells of the values [n], NaN for a missing one."""
        if self._edges is not None:
            return np.searchsorted(self._edges, column)
        last = len(self._by_code) - 1
        codes = np.where(np.isnan(column), last, np.minimum(column, last - 1))
        return self._by_code[codes.astype(np.intp)]

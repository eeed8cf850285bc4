"""Compares the answers of an exported file with those of the model, before anyone gets the file."""

import re

import numpy as np
import torch
from torch import nn

from service.workflow.data.table import Table
from service.workflow.data.types.category import as_text
from service.workflow.encode import blank_row, raw_inputs
from service.workflow.errors import ExportFailed
from service.workflow.exports.check_rows import batches
from service.workflow.exports.export import Answers, Array, Predict, Source
from service.workflow.input_tensors import take
from service.workflow.look.points import Points
from service.workflow.tasks import LABEL_THRESHOLD, Task

TOLERANCE = 1e-5  # of the largest magnitude
MOST_REASON = 300  # characters of an error of torch or another library
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # for terminals


def check(source: Source, predict: Predict, points: Points | None) -> None:
    """Compares the answers to all batches of `check_rows.py`.

    A number may differ by `TOLERANCE` × the largest number of this output in the batch, or in the rows of the data: the answer
    to a single row may be close to zero. Labels must be equal, unless the two best probabilities, or a label's probability and
    the threshold, differ by less than that. Where the model's own answer is not finite, because a number has overflowed, the
    file's answer is not compared: where in a forward that happens depends on the order of its operations.

    Raises:
        ExportFailed: they differ, or a batch cannot be computed.
    """
    usual = np.zeros(0)
    for batch in batches(source, points):
        if not len(batch.rows) and not _answers_no_row(source):
            continue
        expected = _own_answers(source, batch.rows)
        if not len(usual):
            usual = _magnitudes(expected)
        try:
            given = predict(batch.rows)
        except Exception as error:  # of whatever reads the file
            raise ExportFailed(f"the written file does not answer to {batch.name}: {first_line(error)}") from error
        difference = compare(source, expected, given, np.fmax(usual, _magnitudes(expected)) * TOLERANCE)
        if difference is not None:
            raise ExportFailed(f"the written file and the model differ in their answers to {batch.name}: {difference}")


def compare(source: Source, expected: Array, given: Answers, tolerances: Array) -> str | None:
    """How answers differ from those expected [n, outputs] by more than the tolerance of each output [outputs]; None if they
    do not."""
    values = given.values
    if values.shape != expected.shape:
        return f"their shape is {list(values.shape)}, not {list(expected.shape)}"
    finite = np.isfinite(expected)
    if not np.isfinite(values[finite]).all():
        return "a number is not finite"
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(finite, np.abs(values.astype(np.float64) - expected), 0.0)
    if (apart > tolerances).any():
        row, output = np.unravel_index(np.argmax(apart - tolerances), apart.shape)
        return f"{values[row, output]:.9g} instead of {expected[row, output]:.9g}"
    if given.labels is not None:
        return _compare_labels(source, expected, given.labels, tolerances)
    return None


def _compare_labels(
    source: Source, expected: Array, labels: list[str] | list[list[str]], tolerances: Array
) -> str | None:
    if len(labels) != len(expected):
        return f"there are {len(labels)} labels for {len(expected)} rows"
    signature = source.signature
    classes, names = [as_text(each) for each in signature.classes], [each.name for each in signature.outputs]
    for row, label in zip(expected.astype(np.float64), labels, strict=True):
        if not np.isfinite(row).all():
            continue
        if signature.task is Task.MULTILABEL:
            sure = np.abs(row - LABEL_THRESHOLD) > tolerances
            wanted = {
                name for name, is_sure, p in zip(names, sure, row, strict=True) if is_sure and p > LABEL_THRESHOLD
            }
            found = {name for name, is_sure in zip(names, sure, strict=True) if is_sure and name in label}
            if wanted != found or not set(label) <= set(names):
                return f"the labels {sorted(found)} instead of {sorted(wanted)}"
        else:
            best, said = row >= row.max() - tolerances.max(), int(row.argmax())
            if (threshold := signature.threshold) is not None:
                said = int(row[1] > threshold)
                best = np.array([row[1] - threshold <= tolerances[1], row[1] - threshold >= -tolerances[1]])
            if label not in {classes[at] for at in np.flatnonzero(best)}:
                return f"the label {str(label)[:60]!r} instead of {classes[said][:60]!r}"
    return None


def _own_answers(source: Source, rows: Table) -> Array:
    """The model's answers [n, outputs]."""
    inputs = source.signature.inputs
    with torch.inference_mode():
        if not len(rows):  # an ensemble cannot divide no row among its members, nor attention reshape them
            return np.asarray(source.model(blank_row(inputs)).numpy()[:0])
        return np.asarray(source.model(raw_inputs(inputs, rows.columns)).numpy())


def _answers_no_row(source: Source) -> bool:
    """Whether files must answer to no row. Not if torch itself does not, whose attention cannot, nor if there is a recurrent
    layer: ONNX Runtime ends its process then."""
    if any(isinstance(each, nn.RNNBase) for each in source.model.modules()):
        return False
    row = blank_row(source.signature.inputs)
    if isinstance(row, torch.Tensor):
        return True
    try:
        with torch.inference_mode():
            source.model(take(row, slice(0)))
    except RuntimeError:
        return False
    return True


def _magnitudes(answers: Array) -> Array:
    """The largest magnitude of each output [outputs], of those that are finite."""
    finite = np.where(np.isfinite(answers), np.abs(answers), 0.0).astype(np.float64)
    return np.asarray(finite.max(axis=0, initial=0.0))


def first_line(error: BaseException) -> str:
    """An error in one line of a limited length, without what torch adds for its developers. Its converters say what they cannot
    convert in the first cause of their error."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in COLOURS.sub("", str(error)).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= MOST_REASON else f"{text[:MOST_REASON]}…"

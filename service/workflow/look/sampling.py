"""Samples the points for the charts of a model."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from service.workflow.data.table import Numbers, Table, Texts
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.look.points import BINS, MOST_FEATURES, MOST_HISTOGRAMS, MOST_POINTS, ParameterHistogram, Points
from service.workflow.signature import Input, Signature
from service.workflow.split import PARTS, Split

LONGEST_TEXT = 200  # characters of a category or a class in a chart


def sample(
    signature: Signature, table: Table, targets: Tensor, answers: Tensor, parts: Split, network: nn.Module
) -> Points:
    """Samples evenly spaced rows of each part, in proportion to the sizes of the parts."""
    chosen = {name: _spaced(parts.part(name), len(table)) for name in PARTS}
    rows = torch.cat(list(chosen.values()))
    truth, prediction, probability = _first_target(signature, targets[rows, 0], answers[rows])
    return Points(
        features={each.name: _shown(each, table.columns[each.name], rows) for each in signature.inputs[:MOST_FEATURES]},
        part=[name for name, those in chosen.items() for _ in those],
        truth=truth,
        prediction=prediction,
        probability=probability,
        parameters=[_histogram(*each) for each in list(network.named_parameters())[:MOST_HISTOGRAMS]],
    )


def _first_target(
    signature: Signature, truth: Tensor, answers: Tensor
) -> tuple[list[Scalar], list[Scalar | None], list[float | None] | None]:
    classes: Sequence[Scalar] | None = signature.outputs[0].classes
    if classes is None:
        return truth.tolist(), _numbers(answers[:, 0]), None
    classes = [each[:LONGEST_TEXT] if isinstance(each, str) else each for each in classes]
    if not signature.classifies:
        answers = torch.stack([1 - answers[:, 0], answers[:, 0]], dim=1)
    best = answers.argmax(dim=1)
    return (
        [classes[int(position)] for position in truth],
        [classes[int(position)] for position in best],
        _numbers(answers.amax(dim=1)),
    )


def _spaced(rows: Tensor, total: int) -> Tensor:
    if total <= MOST_POINTS:
        return rows
    share = max(1, MOST_POINTS * len(rows) // total) if len(rows) else 0
    return rows[torch.linspace(0, len(rows) - 1, share).round().long()]


def _shown(each: Input, column: Numbers | Texts, rows: Tensor) -> list[Any]:
    at = rows.numpy()
    if isinstance(column, Texts):
        values = [None if code < 0 else column.values[code][:LONGEST_TEXT] for code in column.codes[at].tolist()]
    else:
        values = [value if math.isfinite(value) else None for value in column[at].tolist()]
    plotted = COLUMN_TYPES[each.type].plotted
    return [None if value is None else plotted(value) for value in values]


def _numbers(values: Tensor) -> list[Any]:
    """Numbers for JSON, with None for NaN and infinities."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _histogram(name: str, parameter: Tensor) -> ParameterHistogram:
    values = parameter.detach().to(torch.float64).flatten()
    counts, edges = torch.histogram(values, BINS)
    return ParameterHistogram(name=name, edges=edges.tolist(), counts=counts.long().tolist())

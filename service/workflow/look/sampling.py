"""Samples the points for the charts of a model."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from service.workflow.data.table import Files, Numbers, Table, Texts
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.decision import decide
from service.workflow.encode import table_inputs
from service.workflow.input_tensors import Tensors
from service.workflow.look.example_sampling import sample_examples, text_lengths
from service.workflow.look.pictures import filters
from service.workflow.look.points import (
    BINS,
    MOST_FEATURES,
    MOST_HISTOGRAMS,
    MOST_POINTS,
    MOST_TARGETS,
    ParameterHistogram,
    Points,
    TargetPoints,
)
from service.workflow.look.threshold_curves import threshold_curves
from service.workflow.parts import PARTS
from service.workflow.reliability import reliability
from service.workflow.signature import Input, Signature
from service.workflow.split import Split

LONGEST_TEXT = 200  # characters of a category or a class in a chart


def sample(
    signature: Signature,
    table: Table,
    features: Tensors,
    targets: Tensor,
    answers: Tensor,
    parts: Split,
    network: nn.Module,
) -> Points:
    """Samples evenly spaced rows of each part, in proportion to the sizes of the parts; the curves and the reliability are of all
    rows. `features` are the raw ones of all rows."""
    chosen = {name: _spaced(parts.part(name), len(table)) for name in PARTS}
    rows = torch.cat(list(chosen.values()))
    count = min(len(signature.outputs), MOST_TARGETS)
    first, *more = (_target(signature, position, targets[rows], answers[rows]) for position in range(count))
    return Points(
        features={
            each.name: _shown(each, column, rows)
            for each in table_inputs(signature.inputs)[:MOST_FEATURES]
            if not isinstance(column := table.columns[each.name], Files)
        },
        part=[name for name, those in chosen.items() for _ in those],
        truth=first.truth,
        prediction=first.prediction,
        probability=first.probability,
        more_targets=more,
        parameters=[_histogram(*each) for each in list(network.named_parameters())[:MOST_HISTOGRAMS]],
        curves=threshold_curves(signature, answers, targets, parts),
        reliability=reliability(signature, answers, targets, parts),
        lengths=text_lengths(signature, table, rows),
        examples=sample_examples(signature, table, features, targets, answers, parts),
        filters=filters(network),
    )


def _target(signature: Signature, position: int, targets: Tensor, answers: Tensor) -> TargetPoints:
    output, truth = signature.outputs[position], targets[:, position]
    if output.classes is None:
        return TargetPoints(name=output.name, truth=truth.tolist(), prediction=_numbers(answers[:, position]))
    if signature.classifies:
        said = decide(signature, answers)
    else:
        answers = torch.stack([1 - answers[:, position], answers[:, position]], dim=1)
        said = answers.argmax(dim=1)
    classes: Sequence[Scalar] = [each[:LONGEST_TEXT] if isinstance(each, str) else each for each in output.classes]
    return TargetPoints(
        name=output.name,
        truth=[classes[int(each)] for each in truth],
        prediction=[classes[int(each)] for each in said],
        probability=_numbers(answers.gather(1, said[:, None])[:, 0]),
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

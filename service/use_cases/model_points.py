"""The points of a model's charts, by which a bundle is checked before it is published."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from service.use_cases.model_manifest import ModelManifest
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import shaped_inputs, table_inputs
from service.workflow.errors import step
from service.workflow.look.available import PLOTS, available
from service.workflow.look.points import (
    MOST_CURVES,
    MOST_HISTOGRAMS,
    MOST_POINTS,
    MOST_TARGETS,
    MOST_THRESHOLDS,
    Points,
    ThresholdCurve,
)
from service.workflow.parts import PARTS
from service.workflow.reliability import BINS
from service.workflow.signature import Output, Signature
from service.workflow.tasks import Task

ROUNDING = 1e-9  # of an area


def check_plots(manifest: ModelManifest, points: Points) -> None:
    """Checks that the manifest names the plots that there are, as far as this software knows them.

    Raises:
        ValueError: it does not; the message begins with the JSON pointer.
    """
    if manifest.plots is None:  # from before they were recorded
        return
    made = available(
        manifest.signature, points, confused=bool(manifest.confusion), important=manifest.importance is not None
    )
    if [name for name in manifest.plots if name in PLOTS] != made:
        raise ValueError(f"/plots: expected {', '.join(made)}")


def check_points(points: Points, signature: Signature) -> None:
    """Checks that the charts can be drawn from these points.

    Raises:
        ValueError: they cannot; the message begins with the JSON pointer.
    """
    rows = len(points.part)
    if rows > 2 * MOST_POINTS or not set(points.part) <= set(PARTS):
        raise ValueError(f"/part: expected at most {2 * MOST_POINTS} of {', '.join(PARTS)}")
    first: dict[str, Any] = {name: getattr(points, name) for name in ("truth", "prediction", "probability")}
    _check_target("", first, signature.outputs[0], rows)
    _check_more_targets(points, signature)
    inputs = {each.name: COLUMN_TYPES[each.type] for each in table_inputs(signature.inputs)}
    if not set([*inputs][:1]) <= set(points.features) <= set(inputs):
        raise ValueError("/features: expected the first inputs of the model, by name")
    for name, values in points.features.items():
        _check_length(f"/features{step(name)}", values, rows)
        if inputs[name].chart_type == "Q":
            _check_numbers(f"/features{step(name)}", values, "input")
    if len(points.parameters) > MOST_HISTOGRAMS:
        raise ValueError(f"/parameters: expected at most {MOST_HISTOGRAMS}")
    for position, each in enumerate(points.parameters):
        if len(each.edges) != len(each.counts) + 1:
            raise ValueError(f"/parameters/{position}/edges: expected one more than there are counts")
    _check_curves(points, signature)
    _check_reliability(points, signature)
    _check_examples(points, signature)
    _check_dependence(points, signature)


def _check_dependence(points: Points, signature: Signature) -> None:
    if (found := points.dependence) is None:
        return
    inputs = {each.name: COLUMN_TYPES[each.type] for each in table_inputs(signature.inputs)}
    names = [each.input for each in found.inputs]
    if len(set(names)) < len(names) or not set(names) <= set(inputs):
        raise ValueError("/dependence/inputs: expected inputs of the model that are columns of a table, each once")
    count = len(signature.labels) or len(signature.outputs)
    if found.answers != sorted(set(found.answers)) or found.answers[-1] >= count:
        raise ValueError(f"/dependence/answers: expected different positions below {count}, in order")
    for position, each in enumerate(found.inputs):
        at = f"/dependence/inputs/{position}"
        if len(each.means) != len(found.answers) or any(len(line) != len(each.values) for line in each.means):
            rule = f"expected {len(found.answers)} lists of {len(each.values)} numbers, for the answers and the values"
            raise ValueError(f"{at}/means: {rule}")
        if inputs[each.input].chart_type == "Q":
            _check_numbers(f"{at}/values", each.values, "input")


def _check_more_targets(points: Points, signature: Signature) -> None:
    names = [each.name for each in signature.outputs[1:MOST_TARGETS]]
    if points.more_targets and [each.name for each in points.more_targets] != names:
        raise ValueError(f"/more_targets: expected those of {', '.join(names) or 'no output'}, or none")
    for position, each in enumerate(points.more_targets):
        columns = each.model_dump(include={"truth", "prediction", "probability"})
        _check_target(f"/more_targets/{position}", columns, signature.outputs[position + 1], len(points.part))


def _check_target(at: str, columns: Mapping[str, Sequence[Any] | None], output: Output, rows: int) -> None:
    numbers = output.classes is None
    if (columns["probability"] is None) != numbers:
        raise ValueError(f"{at}/probability: expected {'none' if numbers else 'one a row'}, for the model's outputs")
    for name, values in columns.items():
        if values is None:
            continue
        _check_length(f"{at}/{name}", values, rows)
        if numbers:
            _check_numbers(f"{at}/{name}", values, "output")


def _check_numbers(at: str, values: Sequence[Any], what: str) -> None:
    if any(type(each) in (bool, str) for each in values):
        raise ValueError(f"{at}: expected numbers, for the {what} is one")


def _check_length(at: str, values: Sequence[Any], rows: int) -> None:
    if len(values) != rows:
        raise ValueError(f"{at}: expected {rows} values, as /part has")


def _check_examples(points: Points, signature: Signature) -> None:
    shaped = {each.name for each, _ in shaped_inputs(signature.inputs)}
    if not set(points.lengths) <= shaped:
        raise ValueError("/lengths: expected inputs of the model that are texts")
    for name, values in points.lengths.items():
        _check_length(f"/lengths{step(name)}", values, len(points.part))
    examples = points.examples
    if (examples is None) != (not shaped):
        raise ValueError(f"/examples: expected {'some' if shaped else 'none'}, for the model's inputs")
    if examples is None:
        return
    if not {examples.picture, examples.text} - {None} <= shaped:
        raise ValueError(
            "/examples: expected that `picture` and `text` are inputs of the model whose values have a shape"
        )
    if not {examples.part, *examples.counts} <= set(PARTS):
        raise ValueError(f"/examples: expected that `part` and those in `counts` are {', '.join(PARTS)}")
    for part, counts in examples.counts.items():
        if len(counts) != len(signature.labels):
            raise ValueError(
                f"/examples/counts{step(part)}: expected {len(signature.labels)}, one for each class or label"
            )


def _check_curves(points: Points, signature: Signature) -> None:
    if points.curves is None:
        return
    if signature.task is Task.REGRESSION:
        raise ValueError("/curves: expected none, for the model answers numbers")
    if points.curves.part not in PARTS:
        raise ValueError(f"/curves/part: expected one of {', '.join(PARTS)}")
    positions = [each.position for each in points.curves.curves]
    if positions != sorted(set(positions)) or len(positions) > MOST_CURVES or positions[-1:] >= [len(signature.labels)]:
        rule = f"expected at most {MOST_CURVES}, of different classes or labels in their order"
        raise ValueError(f"/curves/curves: {rule}")
    totals = set()
    for number, each in enumerate(points.curves.curves):
        _check_curve(f"/curves/curves/{number}", each)
        totals.add(each.true_positives[-1] + each.false_positives[-1])
    if len(totals) > 1:
        raise ValueError("/curves/curves: expected that all end with the same number of rows")


def _check_reliability(points: Points, signature: Signature) -> None:
    if points.reliability is None:
        return
    if not signature.classifies:
        raise ValueError("/reliability: expected none, for the model does not answer one class out of several")
    if points.reliability.part not in PARTS:
        raise ValueError(f"/reliability/part: expected one of {', '.join(PARTS)}")
    bins = points.reliability.bins
    for name in ("rows", "confidence", "right"):
        if len(getattr(bins, name)) != BINS:
            raise ValueError(f"/reliability/bins/{name}: expected {BINS}, one for each bin")
    if not sum(bins.rows):
        raise ValueError("/reliability/bins/rows: expected some rows")
    if any(right > rows for right, rows in zip(bins.right, bins.rows, strict=True)):
        raise ValueError("/reliability/bins/right: expected no more than there are rows in the bin")


def _check_curve(at: str, curve: ThresholdCurve) -> None:
    """A curve rises from 0 to the rows of the class and the other rows. Its area is within the steps of its points: between two
    of them it neither falls below the first nor exceeds the second."""
    true, false = curve.true_positives, curve.false_positives
    for name, counts in (("true_positives", true), ("false_positives", false)):
        if not 2 <= len(counts) <= MOST_THRESHOLDS or counts[0] != 0 or counts[-1] == 0 or counts != sorted(counts):
            rule = f"expected 2 to {MOST_THRESHOLDS} counts that rise from 0"
            raise ValueError(f"{at}/{name}: {rule}")
    if len(true) != len(false):
        raise ValueError(f"{at}/false_positives: expected as many as there are true_positives")
    widths = [right - left for left, right in pairwise(false)]
    rows = true[-1] * false[-1]
    least = sum(width * height for width, height in zip(widths, true[:-1], strict=True)) / rows
    most = sum(width * height for width, height in zip(widths, true[1:], strict=True)) / rows
    if not least - ROUNDING <= curve.roc_area <= most + ROUNDING:
        raise ValueError(f"{at}/roc_area: expected an area from {least:.6f} to {most:.6f}, as its points say")

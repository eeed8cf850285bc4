"""The chart `predictions`: predictions and truth."""

from collections.abc import Sequence
from dataclasses import replace

import altair as alt

from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.look.axes import Axis, Chart, Extent, extent, names, numbers
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import (
    ANSWERS,
    GREY,
    HEIGHT,
    PARTS,
    VERMILLION,
    beyond,
    chart,
    grid,
    scatter,
    stacked,
    title,
)
from service.workflow.look.examples_chart import worst
from service.workflow.look.points import TargetPoints
from service.workflow.look.text import text
from service.workflow.parts import PARTS as ALL_PARTS

ROW_HEIGHT = 26  # pixels of a class
DIAGONAL = {"color": GREY, "strokeDash": [5, 4], "clip": True}


def predictions(of: ChartData) -> Chart:
    """Predictions and truth: over the feature if there is only one, else predicted over true values; for classes, the
    probabilities of right and wrong answers. Of images and texts first the worst answers."""
    examples = worst(of)
    return _predictions(of) if examples is None else stacked([examples, _predictions(of)])


def _predictions(of: ChartData) -> Chart:
    if not of.answers_numbers:
        return _certainties(of)
    only = of.signature.inputs[0]
    if len(of.signature.inputs) == len(of.targets) == 1 and COLUMN_TYPES[only.type].chart_type == "Q":
        return _over_feature(of)
    return _over_truth(of)


def _over_feature(of: ChartData) -> Chart:
    """The true values, the predictions for the last part, and a line through all predictions."""
    points, last = of.points, of.last_part
    target, values = of.name(of.targets[0]), points.features[of.signature.inputs[0].name]
    at = [position for position, part in enumerate(points.part) if part == last]
    answers = [points.prediction[position] for position in at]
    x = numbers(text(of.signature.inputs[0].name), [*values, *(values[position] for position in at)])
    y = numbers(target, [*points.truth, *answers])
    drawn = scatter(x, y, PARTS, [*points.part, *("prediction" for _ in at)], small=False)
    pairs = zip(x.values, points.prediction, strict=False)
    line = sorted({(value, answer) for value, answer in pairs if value is not None and answer is not None})
    path = chart([{"x": value, "y": answer} for value, answer in line])
    path = path.mark_line(color=VERMILLION, strokeWidth=1.2, opacity=0.7, clip=True)
    path = path.encode(x=x.encode(alt.X, small=False), y=y.encode(alt.Y, small=False))
    once = replace(x, values=x.values[: len(values)])
    notes = f"{of.told_rows(ALL_PARTS)}; line: predictions", beyond(once, y)
    about = title(f"Predictions of {target} over {x.title}", *notes)
    return alt.layer(path, drawn, title=about)


def _over_truth(of: ChartData) -> Chart:
    small = len(of.targets) > 1
    drawn, sides = [], []
    for target in of.targets:
        shown = extent([*_finite(target.truth), *_finite(target.prediction)])
        x = numbers(f"true {of.name(target)}", target.truth, shown)
        y = numbers(f"predicted {of.name(target)}", target.prediction, shown)
        sides += [x, y]
        drawn.append(alt.layer(_diagonal(x, y, shown, small=small), scatter(x, y, PARTS, of.points.part, small=small)))
    what = f"{len(drawn)} targets" if small else of.name(of.targets[0])
    about = title(
        f"Predictions of {what}: right on the dashed line",
        of.told_rows(ALL_PARTS),
        beyond(*sides),
    )
    return grid(drawn, about) if small else drawn[0].properties(title=about)


def _diagonal(x: Axis, y: Axis, shown: Extent, *, small: bool) -> Chart:
    ends = [{"x": value, "y": value} for value in (shown.low, shown.high)]
    line = chart(ends).mark_line(**DIAGONAL)
    return line.encode(x=x.encode(alt.X, small=small), y=y.encode(alt.Y, small=small))


def _certainties(of: ChartData) -> Chart:
    small = len(of.targets) > 1
    last = of.last_part
    drawn = [_certainty(of, target, last, small=small) for target in of.targets]
    what = f"{len(drawn)} labels" if small else of.name(of.targets[0])
    about = title(f"Predictions of {what}: how sure, and how right", of.told_rows([last]))
    return grid(drawn, about) if small else drawn[0].properties(title=about)


def _certainty(of: ChartData, target: TargetPoints, part: str, *, small: bool) -> Chart:
    rows = [
        (truth, probability, "right" if truth == predicted else "wrong")
        for truth, predicted, probability, its_part in zip(
            target.truth, target.prediction, target.probability or [], of.points.part, strict=True
        )
        if its_part == part
    ]
    x = numbers("probability of what was predicted", [each[1] for each in rows], Extent(0, 1))
    output = next(each for each in of.signature.outputs if each.name == target.name)
    y = names(f"true {of.name(target)}", [each[0] for each in rows], output.classes or ())
    height = max(ROW_HEIGHT * len(y.names) + 20, HEIGHT // 3)
    return scatter(x, y, ANSWERS, [each[2] for each in rows], small=small, height=height)


def _finite(values: Sequence[Scalar | None]) -> list[float]:
    return [float(value) for value in values if value is not None]

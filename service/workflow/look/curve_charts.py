"""The charts `roc` and `precision_recall` of a classification."""

from collections.abc import Mapping
from typing import Any

import altair as alt

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Chart
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, chart, title
from service.workflow.look.points import ThresholdCurve, ThresholdCurves
from service.workflow.look.text import distinct
from service.workflow.tasks import Task

SIDE = 340  # pixels
COLOURS = [BLUE, VERMILLION, GREEN, PURPLE, BLACK, ORANGE, SKY]
DASHES = [[1, 0], [6, 3], [2, 2]]  # with the colours 21 different lines
SHARE = alt.Scale(domain=[0, 1], nice=False)


def roc(of: ChartData) -> Chart:
    """The receiver operating characteristic: for each threshold, the share of the class that is found over the share of the
    other rows that are taken for it. Of two classes only the second: the curve of the first is its mirror image.

    Raises:
        NotAvailable: the model answers no classes or labels, or is from before curves were recorded.
    """
    curves = _curves(of)
    chosen = curves.curves[-1:] if of.signature.task is Task.BINARY else curves.curves
    lines = []
    for each, name in zip(chosen, _names(of, {each.position: each.roc_area for each in chosen}), strict=True):
        lines += [
            {"curve": name, "order": place, "x": false / each.false_positives[-1], "y": true / each.true_positives[-1]}
            for place, (true, false) in enumerate(zip(each.true_positives, each.false_positives, strict=True))
        ]
    chance = chart([{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}]).mark_line(color=GREY, strokeDash=[4, 4], strokeWidth=1)
    drawn = _lines(lines, "linear", "false positive rate", "true positive rate")
    areas = [each.roc_area for each in curves.curves]
    about = title(f"ROC of {_what(of)}", *_notes(of, curves), "dashed: by chance" + _mean(areas, "area", of))
    return alt.layer(chance.encode(x="x:Q", y="y:Q"), drawn, title=about)


def precision_recall(of: ChartData) -> Chart:
    """For each threshold, the share of the rows taken for a class that are of it, over the share of the class that is found.

    Raises:
        NotAvailable: the model answers no classes or labels, or is from before curves were recorded.
    """
    curves = _curves(of)
    named = _names(of, {each.position: each.average_precision for each in curves.curves})
    lines = []
    for each, name in zip(curves.curves, named, strict=True):
        lines += [{"curve": name, **row} for row in _precisions(each)]
    drawn = _lines(lines, "step-before", "recall", "precision")
    areas = [each.average_precision for each in curves.curves]
    about = title(
        f"Precision and recall of {_what(of)}", *_notes(of, curves), _mean(areas, "average precision", of)[2:]
    )
    return drawn.properties(title=about)


def _precisions(of: ThresholdCurve) -> list[dict[str, float]]:
    """The steps of the average precision; the first one begins at recall 0."""
    made = [
        {"order": place, "x": true / of.true_positives[-1], "y": true / (true + false)}
        for place, (true, false) in enumerate(zip(of.true_positives, of.false_positives, strict=True))
        if true + false
    ]
    return [{**made[0], "order": 0, "x": 0.0}, *made]


def _lines(rows: list[dict[str, Any]], interpolate: str, x: str, y: str) -> Chart:
    shown = list(dict.fromkeys(row["curve"] for row in rows))
    legend = alt.Legend(title="area", symbolStrokeWidth=2.5, symbolSize=300, labelLimit=260)
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(shown))]
    dashes = [DASHES[place // len(COLOURS)] for place in range(len(shown))]
    lines = chart(rows, width=SIDE, height=SIDE).mark_line(interpolate=interpolate, strokeWidth=1.8)
    return lines.encode(
        x=alt.X("x:Q", title=x, scale=SHARE, axis=alt.Axis(tickCount=5)),
        y=alt.Y("y:Q", title=y, scale=SHARE, axis=alt.Axis(tickCount=5)),
        order="order:Q",
        color=alt.Color("curve:N", scale=alt.Scale(domain=shown, range=colours), legend=legend),
        strokeDash=alt.StrokeDash("curve:N", scale=alt.Scale(domain=shown, range=dashes), legend=legend),
    )


def _curves(of: ChartData) -> ThresholdCurves:
    if of.answers_numbers:
        raise NotAvailable("there are no curves: the model answers no classes; see `residuals`")
    if of.points.curves is None:
        raise NotAvailable("there are no curves: this version was trained before they were recorded; train it again")
    if not of.points.curves.curves:
        rule = "all its rows are of one class, or none of the labels varies"
        raise NotAvailable(f"there are no curves for the part `{of.points.curves.part}`: {rule}")
    return of.points.curves


def _names(of: ChartData, areas: Mapping[int, float]) -> list[str]:
    """Area and name of each class, by position: a long name does not hide the area."""
    return distinct([f"{area:.3f}  {of.signature.labels[position]}" for position, area in areas.items()])


def _what(of: ChartData) -> str:
    if of.signature.task is Task.MULTILABEL:
        return f"{len(of.signature.outputs)} labels"
    if of.signature.task is Task.BINARY:
        return of.name(of.targets[0])
    return f"{of.name(of.targets[0])}: each class against the rest"


def _notes(of: ChartData, curves: ThresholdCurves) -> list[str]:
    first = curves.curves[0]
    rows = first.true_positives[-1] + first.false_positives[-1]
    subtitle = f"{curves.part}, {rows:,} row{'s' if rows > 1 else ''}"
    kinds = "labels" if of.signature.task is Task.MULTILABEL else "classes"
    total = len(of.signature.labels)
    if len(curves.curves) < total:
        subtitle += f"; {len(curves.curves)} of {total:,} {kinds}"
    return [subtitle]


def _mean(areas: list[float], what: str, of: ChartData) -> str:
    if of.signature.task is Task.BINARY or len(areas) < 2:
        return ""
    return f"; mean {what} {sum(areas) / len(areas):.3f}"

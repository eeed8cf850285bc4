"""The charts as Altair descriptions, one function each, for PNG, SVG and browsers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import altair as alt

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import NotAvailable
from service.workflow.look.points import Points
from service.workflow.signature import Signature

WIDTH, HEIGHT = 480, 320
SMALL_WIDTH, SMALL_HEIGHT, ACROSS = 220, 160, 3
COLOURS = {"train": "#4c78a8", "validation": "#54a24b", "test": "#f58518", "prediction": "#e45756"}
# Attributes of every JavaScript object: Vega would find them when it looks up a value of that name.
OBJECT_ATTRIBUTES = {"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString"}
OBJECT_ATTRIBUTES |= {"toString", "valueOf", "__proto__", "__defineGetter__", "__defineSetter__"}
OBJECT_ATTRIBUTES |= {"__lookupGetter__", "__lookupSetter__"}
NO_XML = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u2028\u2029]")
ANSWERS = alt.Scale(domain=["right", "wrong"], range=["#4c78a8", "#e45756"])
Chart = Any  # altair's own methods are annotated with Any


@dataclass(frozen=True)
class ChartData:
    """The data of all charts."""

    signature: Signature
    points: Points
    history: dict[str, list[float]]
    confusion: dict[str, list[list[int]]]

    @property
    def target(self) -> str:
        """The first target's name."""
        return self.signature.outputs[0].name

    @property
    def answers_numbers(self) -> bool:
        """Whether the first target is a number."""
        return self.signature.outputs[0].classes is None


def data(of: ChartData) -> Chart:
    """The target over each of the first features, coloured by part."""
    charts = [_over(of, name, SMALL_WIDTH, SMALL_HEIGHT) for name in of.points.features]
    if len(charts) == 1:
        return _over(of, next(iter(of.points.features)), WIDTH, HEIGHT).properties(title=text(f"Data: {of.target}"))
    return alt.concat(*charts, columns=ACROSS, title=text(f"Data: {of.target} over each feature"))


def predictions(of: ChartData) -> Chart:
    """Predictions and truth: over the feature if there is only one, else predicted over true values; for classes, the
    probabilities of right and wrong answers."""
    if not of.answers_numbers:
        return _certainties(of)
    if len(of.signature.inputs) == 1 and COLUMN_TYPES[of.signature.inputs[0].type].chart_type == "Q":
        return _over_feature(of)
    return _over_truth(of)


def learning_curve(of: ChartData) -> Chart:
    """The losses over the epochs, in the trained scale."""
    rows = [
        {"epoch": epoch, "loss": value, "of": name.removesuffix("_loss")}
        for name in of.history
        if name.endswith("_loss")
        for epoch, value in zip(of.history["epoch"], of.history[name], strict=True)
    ]
    axes = {"x": alt.X("epoch:Q", title="epoch"), "y": alt.Y("loss:Q", title="loss")}
    chart = _chart(rows, "Learning curve").mark_line(point=len(of.history["epoch"]) == 1, strokeJoin="round")
    return chart.encode(color=_colours("of", rows), **axes) if rows else chart.encode(**axes)


def parameters(of: ChartData) -> Chart:
    """The histogram of each parameter's values."""
    if not of.points.parameters:
        raise NotAvailable("this model has no parameters")
    charts = []
    for each in of.points.parameters:
        rows = _rows(**{"from": each.edges[:-1], "to": each.edges[1:], "count": each.counts})
        x = alt.X("from:Q", title=None, bin="binned").scale(zero=False)
        bars = _chart(rows, each.name, SMALL_WIDTH, SMALL_HEIGHT).mark_bar()
        charts.append(bars.encode(x=x, x2="to:Q", y=alt.Y("count:Q", title="values")))
    return alt.concat(*charts, columns=ACROSS, title="Parameters")


def confusion(of: ChartData) -> Chart:
    """The confusion matrix of the last part with rows."""
    if not of.confusion:
        raise NotAvailable("there is no confusion matrix: the model answers no classes, or too many")
    part = next(name for name in ("test", "validation", "train") if name in of.confusion)
    counts = of.confusion[part]
    names = [text(str(each)) for each in of.signature.classes]
    rows = [
        {"truth": truth, "prediction": predicted, "rows": counts[i][j]}
        for i, truth in enumerate(names)
        for j, predicted in enumerate(names)
    ]
    most = max(max(line) for line in counts)
    base = _chart(rows, f"Confusion of {of.target}: {part}").encode(
        x=alt.X("prediction:N", title="predicted", sort=names), y=alt.Y("truth:N", title="true", sort=names)
    )
    dark = alt.condition(f"datum.rows > {most / 2}", alt.value("white"), alt.value("black"))
    return base.mark_rect().encode(color=alt.Color("rows:Q", title="rows", scale=alt.Scale(scheme="blues"))) + (
        base.mark_text().encode(text="rows:Q", color=dark)
    )


CHARTS: dict[str, Callable[[ChartData], Chart]] = {
    "data": data,
    "predictions": predictions,
    "learning_curve": learning_curve,
    "parameters": parameters,
    "confusion": confusion,
}


def _over(of: ChartData, feature: str, width: int, height: int) -> Chart:
    rows = _rows(x=of.points.features[feature], y=of.points.truth, part=of.points.part)
    kind = next(each.type for each in of.signature.inputs if each.name == feature)
    x = f"x:{COLUMN_TYPES[kind].chart_type}"
    across = alt.X(x, title=text(feature)).scale(zero=False) if x == "x:Q" else alt.X(x, title=text(feature))
    target = text(of.target)
    y = alt.Y("y:Q", title=target).scale(zero=False) if of.answers_numbers else alt.Y("y:N", title=target)
    chart = _chart(rows, alt.Undefined, width, height).mark_circle(size=30, opacity=0.7)
    return chart.encode(x=across, y=y, color=_colours("part", rows))


def _over_feature(of: ChartData) -> Chart:
    feature = of.signature.inputs[0].name
    rows: list[dict[str, Any]] = []
    points = of.points
    for value, truth, prediction, part in zip(
        points.features[feature], points.truth, points.prediction, points.part, strict=True
    ):
        rows.append({"x": value, "y": truth, "part": part})
        if part == points.part[-1]:
            rows.append({"x": value, "y": prediction, "part": "prediction"})
    chart = _chart(rows, f"Predictions of {of.target}").mark_circle(size=36, opacity=0.8)
    x, y = alt.X("x:Q", title=text(feature)), alt.Y("y:Q", title=text(of.target))
    return chart.encode(x=x.scale(zero=False), y=y.scale(zero=False), color=_colours("part", rows))


def _over_truth(of: ChartData) -> Chart:
    points = of.points
    rows = _rows(truth=points.truth, prediction=points.prediction, part=points.part)
    title = f"Predictions of {of.target}: on the diagonal they are right"
    x = alt.X("truth:Q", title=text(f"true {of.target}")).scale(zero=False)
    y = alt.Y("prediction:Q", title=text(f"predicted {of.target}")).scale(zero=False)
    return _chart(rows, title).mark_circle(size=36, opacity=0.6).encode(x=x, y=y, color=_colours("part", rows))


def _certainties(of: ChartData) -> Chart:
    points = of.points
    rows = [
        {"truth": str(truth), "probability": probability, "answer": "right" if truth == predicted else "wrong"}
        for truth, predicted, probability in zip(points.truth, points.prediction, points.probability or [], strict=True)
    ]
    x = alt.X("probability:Q", title="probability of what was predicted").scale(domain=[0, 1])
    y, color = alt.Y("truth:N", title=text(f"true {of.target}")), alt.Color("answer:N", title=None, scale=ANSWERS)
    chart = _chart(rows, f"Predictions of {of.target}: how sure, and how right")
    return chart.mark_tick(thickness=2).encode(x=x, y=y, color=color)


def _rows(**columns: Any) -> list[dict[str, Any]]:
    """Rows from columns of one length."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _colours(field: str, rows: list[dict[str, Any]]) -> Chart:
    """The same colours for the parts in every chart; the legend has only those that are drawn."""
    present = [name for name in COLOURS if any(row[field] == name for row in rows)]
    scale = alt.Scale(domain=present, range=[COLOURS[name] for name in present])
    return alt.Color(f"{field}:N", title=None, scale=scale)


def _chart(rows: list[dict[str, Any]], title: Any, width: int = WIDTH, height: int = HEIGHT) -> Chart:
    values = [{name: text(each) if isinstance(each, str) else each for name, each in row.items()} for row in rows]
    title = text(title) if isinstance(title, str) else title
    return alt.Chart(alt.InlineData(values=values), title=title, width=width, height=height)


def text(given: str) -> str:
    """A client's text without a special meaning in Vega or SVG."""
    if given in OBJECT_ATTRIBUTES:
        return f"{given}\u00a0"
    # Vega puts titles into expressions, where backslashes and line ends have a meaning.
    return NO_XML.sub(_picture, given.replace("\\", "\u2216"))


def _picture(found: re.Match[str]) -> str:
    """The visible symbol of a control character, which Unicode has for the first 32."""
    return chr(0x2400 + ord(found[0])) if found[0] < " " else "\ufffd"

"""The charts, one function each, as Altair descriptions: the same one makes PNG, SVG and the browser's picture."""

from collections.abc import Callable
from typing import Any

import altair as alt

from service.workflow.errors import NotAvailable
from service.workflow.look.points import Points
from service.workflow.signature import Signature

WIDTH, HEIGHT = 480, 320
COLOURS = {"train": "#4c78a8", "validation": "#54a24b", "test": "#f58518", "prediction": "#e45756"}
History = dict[str, list[float]]
Chart = Any  # altair's own methods are annotated with Any


def data(signature: Signature, points: Points, history: History) -> Chart:
    """What there is to learn from: the target over the first feature, each part in its colour."""
    feature, target = signature.inputs[0].name, signature.outputs[0].name
    rows = [
        {"x": features[0], "y": truth, "part": part}
        for features, truth, part in zip(points.features, points.truth, points.part, strict=True)
    ]
    vertical = alt.Y("y:N" if signature.classifies else "y:Q", title=target)
    if not signature.classifies:
        vertical = vertical.scale(zero=False)
    return (
        _chart(rows, f"Data: {target} over {feature}")
        .mark_circle(size=36, opacity=0.75)
        .encode(x=alt.X("x:Q", title=feature).scale(zero=False), y=vertical, color=_colours("part", rows))
    )


def predictions(signature: Signature, points: Points, history: History) -> Chart:
    """Predictions beside the truth: over the feature when there is one, else predicted over true; for classes, how sure
    the model was of each right and each wrong answer."""
    if signature.classifies:
        return _certainties(signature, points)
    if len(signature.inputs) == 1:
        return _over_feature(signature, points)
    return _over_truth(signature, points)


def learning_curve(signature: Signature, points: Points, history: History) -> Chart:
    """The losses over the epochs, in the trained scale."""
    rows = [
        {"epoch": epoch, "loss": value, "of": name.removesuffix("_loss")}
        for name in history
        if name.endswith("_loss")
        for epoch, value in zip(history["epoch"], history[name], strict=True)
    ]
    return (
        _chart(rows, "Learning curve")
        .mark_line(point=len(history["epoch"]) == 1)
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("loss:Q", title="loss"),
            color=_colours("of", rows),
        )
    )


CHARTS: dict[str, Callable[[Signature, Points, History], Chart]] = {
    "data": data,
    "predictions": predictions,
    "learning_curve": learning_curve,
}


def _over_feature(signature: Signature, points: Points) -> Chart:
    feature, target = signature.inputs[0].name, signature.outputs[0].name
    rows: list[dict[str, Any]] = []
    for features, truth, prediction, part in zip(
        points.features, points.truth, points.prediction, points.part, strict=True
    ):
        rows.append({"x": features[0], "y": truth, "part": part})
        if part == _last_part(points):
            rows.append({"x": features[0], "y": prediction, "part": "prediction"})
    return (
        _chart(rows, f"Predictions of {target}")
        .mark_circle(size=36, opacity=0.8)
        .encode(
            x=alt.X("x:Q", title=feature).scale(zero=False),
            y=alt.Y("y:Q", title=target).scale(zero=False),
            color=_colours("part", rows),
        )
    )


def _over_truth(signature: Signature, points: Points) -> Chart:
    target = signature.outputs[0].name
    rows = [
        {"truth": truth, "prediction": prediction, "part": part}
        for truth, prediction, part in zip(points.truth, points.prediction, points.part, strict=True)
    ]
    return (
        _chart(rows, f"Predictions of {target}: on the diagonal they are right")
        .mark_circle(size=36, opacity=0.6)
        .encode(
            x=alt.X("truth:Q", title=f"true {target}").scale(zero=False),
            y=alt.Y("prediction:Q", title=f"predicted {target}").scale(zero=False),
            color=_colours("part", rows),
        )
    )


def _certainties(signature: Signature, points: Points) -> Chart:
    if points.probability is None:
        raise NotAvailable("this model keeps no probabilities")
    target = signature.outputs[0].name
    rows = [
        {"truth": str(truth), "probability": probability, "answer": "right" if truth == predicted else "wrong"}
        for truth, predicted, probability in zip(points.truth, points.prediction, points.probability, strict=True)
    ]
    return (
        _chart(rows, f"Predictions of {target}: how sure, and how right")
        .mark_tick(thickness=2)
        .encode(
            x=alt.X("probability:Q", title="probability of the predicted class").scale(domain=[0, 1]),
            y=alt.Y("truth:N", title=f"true {target}"),
            color=alt.Color(
                "answer:N", title=None, scale=alt.Scale(domain=["right", "wrong"], range=["#4c78a8", "#e45756"])
            ),
        )
    )


def _last_part(points: Points) -> str:
    return points.part[-1]


def _colours(field: str, rows: list[dict[str, Any]]) -> alt.Color:
    """The same colour for the same part in every chart; the legend names only what is drawn."""
    present = [name for name in COLOURS if any(row[field] == name for row in rows)]
    scale = alt.Scale(domain=present, range=[COLOURS[name] for name in present])
    return alt.Color(f"{field}:N", title=None, scale=scale)


def _chart(rows: list[dict[str, Any]], title: str) -> Chart:
    return alt.Chart(alt.InlineData(values=rows), title=title, width=WIDTH, height=HEIGHT)

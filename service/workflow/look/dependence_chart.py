"""The chart `partial_dependence`: the mean answer over the values of single inputs."""

import altair as alt

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Axis, Chart, Extent, dates, names, numbers, with_margin
from service.workflow.look.chart_data import ChartData
from service.workflow.look.dependence import InputDependence, PartialDependence
from service.workflow.look.drawing import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SMALL_HEIGHT,
    SMALL_WIDTH,
    VERMILLION,
    chart,
    grid,
    title,
)
from service.workflow.look.text import distinct, text
from service.workflow.tasks import Task

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE)


def partial_dependence(of: ChartData) -> Chart:
    """A line or points for each input, the most important first, all with the same axis of the answer.

    Raises:
        NotAvailable: it was not recorded.
    """
    found = of.points.dependence
    if found is None:
        raise NotAvailable(
            "how the answer depends on single inputs was not recorded: this version is from before that, "
            "or it could not be measured"
        )
    means = [mean for each in found.inputs for line in each.means for mean in line if mean is not None]
    shown = with_margin(min(means, default=0.0), max(means, default=1.0))
    answers = distinct(_answers(of, found))
    what = "mean answer" if of.signature.task is Task.REGRESSION else "mean probability"
    charts = [
        _panel(of, each, answers, shown, f"{what} of {answers[0]}" if len(answers) == 1 else what)
        for each in found.inputs
    ]
    count = len(found.inputs)
    about = title(
        "Partial dependence",
        f"the {what} over {found.rows:,} row{'s' if found.rows > 1 else ''} of the part {found.part} that all have this value",
        f"the {count} most important inputs" if count > 1 else "",
    )
    return grid(charts, about)


def _answers(of: ChartData, found: PartialDependence) -> list[str]:
    labels = of.signature.labels or [each.name for each in of.signature.outputs]
    return [labels[position] for position in found.answers]


def _panel(of: ChartData, each: InputDependence, answers: list[str], shown: Extent, what: str) -> Chart:
    kind = next(COLUMN_TYPES[one.type].chart_type for one in of.signature.inputs if one.name == each.input)
    axis = _axis(kind, each)
    rows = [
        {"x": at, "y": mean, "answer": name}
        for name, line in zip(answers, each.means, strict=True)
        for at, mean in zip(axis.values, line, strict=True)
        if mean is not None and at is not None
    ]
    base = chart(rows, alt.Title(text=text(each.input), limit=SMALL_WIDTH, fontSize=12), SMALL_WIDTH, SMALL_HEIGHT)
    marked = base.mark_point(filled=True, size=60) if kind == "N" else base.mark_line(strokeWidth=2, point={"size": 18})
    colours = alt.Scale(domain=answers, range=[COLOURS[place % len(COLOURS)] for place in range(len(answers))])
    legend = alt.Legend(symbolStrokeWidth=2.5) if len(answers) > 1 else None
    return marked.encode(
        x=axis.encode(alt.X, small=True),
        y=alt.Y("y:Q", title=what, axis=shown.ticks(4, titleLimit=SMALL_HEIGHT), scale=shown.scale),
        color=alt.Color("answer:N", title=None, scale=colours, legend=legend),
    )


def _axis(kind: str, each: InputDependence) -> Axis:
    if kind == "N":
        return names("", each.values)
    return dates("", each.values) if kind == "T" else numbers("", each.values)

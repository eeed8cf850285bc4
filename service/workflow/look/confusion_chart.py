"""The chart `confusion`: the confusion matrix."""

from typing import Any

import altair as alt

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Chart
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import BLUE, chart, title
from service.workflow.look.text import distinct
from service.workflow.parts import PARTS

LARGEST, SMALLEST = 80, 9  # pixels of a cell
ALL = 600  # pixels of all cells
MOST_COUNTED = 30  # classes; the counts of more would not be readable


def confusion(of: ChartData) -> Chart:
    """The confusion matrix of the last part with rows: the counts, and as shade their share of the true class.

    Raises:
        NotAvailable: there is none.
    """
    if not of.confusion:
        raise NotAvailable("there is no confusion matrix: the model answers no classes, or too many")
    part = next(name for name in reversed(PARTS) if name in of.confusion)
    counts = of.confusion[part]
    names = distinct(of.signature.labels)
    rows = [
        {"truth": truth, "prediction": predicted, "rows": number, "share": number / max(sum(counts[line]), 1)}
        for line, truth in enumerate(names)
        for number, predicted in zip(counts[line], names, strict=True)
    ]
    cell = max(min(ALL // len(names), LARGEST), SMALLEST)
    font = max(min(cell // 3 + 2, 13), 8)
    total = sum(map(sum, counts))
    right = sum(counts[place][place] for place in range(len(names)))
    subtitle = f"{part}, {total:,} row{'s' if total != 1 else ''}, {right:,} right"
    about = title(f"Confusion of {of.name(of.targets[0])}", subtitle)
    axis: dict[str, Any] = {
        "labelFontSize": max(min(cell, 11), 7),
        "labelLimit": 140,
        "labelOverlap": False,
        "ticks": False,
    }
    flat = len(names) <= 8 and max(map(len, names)) * 7 <= cell
    base = chart(rows, about, cell * len(names), cell * len(names)).encode(
        x=alt.X("prediction:N", title="predicted", sort=names, axis=alt.Axis(labelAngle=0 if flat else -45, **axis)),
        y=alt.Y("truth:N", title="true", sort=names, axis=alt.Axis(**axis)),
    )
    shade = alt.Color(
        "share:Q",
        scale=alt.Scale(domain=[0, 1], range=["#ffffff", BLUE], interpolate="rgb"),
        legend=alt.Legend(title=["share of the", "true class"], format="%", tickCount=5),
    )
    cells = base.mark_rect(stroke="#d0d0d0", strokeWidth=0.5).encode(color=shade)
    if len(names) > MOST_COUNTED:
        return cells
    written = base.transform_filter("datum.rows > 0").mark_text(fontSize=font)
    return cells + written.encode(
        text=alt.Text("rows:Q", format="," if total < 10**5 else "~s"),
        color=alt.condition("datum.share > 0.5", alt.value("white"), alt.value("black")),
    )

"""The chart `calibration`: how often the predicted class is right, over how probable it was (a reliability diagram)."""

from typing import Any

import altair as alt

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Chart
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import BLUE, GREY, VERMILLION, chart, title
from service.workflow.look.points import ReliabilityBins

SIDE, LOW = 340, 90  # pixels
SHARE = alt.Scale(domain=[0, 1], nice=False)
AXIS = alt.Axis(tickCount=5)


def calibration(of: ChartData) -> Chart:
    """For each bin of the largest probability, the share of the rows whose predicted class is right; on the diagonal it is what
    the model says. Below it the rows of each bin.

    Raises:
        NotAvailable: the model does not answer one class out of several, or is from before this was recorded.
    """
    reliability = of.points.reliability
    if reliability is None:
        if not of.signature.classifies:
            raise NotAvailable("there is no calibration plot: the model does not answer one class out of several")
        rule = "this version was trained before it was recorded, or not all its answers are finite"
        raise NotAvailable(f"there is no calibration plot: {rule}; train it again")
    bins = reliability.bins
    total = sum(bins.rows)
    subtitle = (
        f"{reliability.part}, {total:,} row{'s' if total != 1 else ''}; expected calibration error {bins.error:.3f}"
    )
    about = title(f"Calibration of {of.name(of.targets[0])}", subtitle, "dashed: as often right as probable")
    return alt.vconcat(_shares(bins), _counts(bins), title=about, spacing=12)


def _rows(of: ReliabilityBins) -> list[dict[str, Any]]:
    """A row for each bin that has some."""
    width = 1 / len(of.rows)
    return [
        {
            "from": place * width,
            "to": (place + 1) * width,
            "confidence": confidence,
            "right": right / rows,
            "rows": rows,
        }
        for place, (rows, confidence, right) in enumerate(zip(of.rows, of.confidence, of.right, strict=True))
        if rows
    ]


def _shares(of: ReliabilityBins) -> Chart:
    rows = _rows(of)
    y = alt.Y("right:Q", title="share that is right", scale=SHARE, axis=AXIS)
    diagonal = chart([{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}]).mark_line(
        color=GREY, strokeDash=[4, 4], strokeWidth=1
    )
    bars = chart(rows, width=SIDE, height=SIDE).mark_rect(color=BLUE, opacity=0.35, stroke=BLUE, strokeWidth=0.5)
    bars = bars.encode(x=alt.X("from:Q", title=None, scale=SHARE, axis=AXIS), x2="to:Q", y=y, y2=alt.datum(0))
    points = chart(rows).mark_point(color=VERMILLION, filled=True, size=45, opacity=1)
    points = points.encode(x="confidence:Q", y="right:Q")
    return alt.layer(bars, diagonal.encode(x="x:Q", y="y:Q"), points)


def _counts(of: ReliabilityBins) -> Chart:
    x = alt.X("from:Q", title="probability of the predicted class", scale=SHARE, axis=AXIS)
    y = alt.Y("rows:Q", title="rows", axis=alt.Axis(tickCount=3, format="~s"))
    bars = chart(_rows(of), width=SIDE, height=LOW).mark_rect(color=GREY, opacity=0.6)
    return bars.encode(x=x, x2="to:Q", y=y, y2=alt.datum(0))

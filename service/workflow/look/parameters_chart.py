"""The chart `parameters`: the histogram of each parameter's values."""

import altair as alt

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Chart, with_margin
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import BLUE, SMALL_HEIGHT, SMALL_WIDTH, chart, grid, title
from service.workflow.look.points import MOST_HISTOGRAMS, ParameterHistogram
from service.workflow.look.text import text


def parameters(of: ChartData) -> Chart:
    """The histogram of each parameter's values.

    Raises:
        NotAvailable: the model has no parameters.
    """
    found = of.points.parameters
    if not found:
        raise NotAvailable("this model has no parameters")
    values = sum(sum(each.counts) for each in found)
    first = "the first " if len(found) == MOST_HISTOGRAMS else ""
    about = f"{first}{len(found)} tensor{'s' if len(found) > 1 else ''}, {values:,} value{'s' if values > 1 else ''}"
    return grid([_histogram(each) for each in found], title("Parameters", about))


def _histogram(of: ParameterHistogram) -> Chart:
    """Bars over the bins."""
    count = sum(of.counts)
    about = alt.Title(
        text=text(of.name),
        subtitle=f"{count:,} value{'s' if count != 1 else ''}",
        limit=SMALL_WIDTH,
        fontSize=12,
        subtitleFontSize=11,
    )
    rows = [
        {"from": low, "to": high, "count": number}
        for low, high, number in zip(of.edges, of.edges[1:], of.counts, strict=False)
        if number
    ]
    shown = with_margin(min(of.edges), max(of.edges))
    most = max(of.counts)
    bars = chart(rows, about, SMALL_WIDTH, SMALL_HEIGHT // 2 + 20).mark_rect(
        color=BLUE, stroke="white", strokeWidth=0.5
    )
    return bars.encode(
        x=alt.X("from:Q", title=None, axis=shown.ticks(4), scale=shown.scale),
        x2="to:Q",
        y=alt.Y("count:Q", title="values", axis=alt.Axis(tickCount=min(most, 4)), scale=alt.Scale(zero=True)),
        y2=alt.datum(0),
    )

"""The chart `importance`: by how much the model is worse without each input."""

import altair as alt

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Chart
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import BLACK, BLUE, WIDTH, chart, title
from service.workflow.look.text import distinct

MOST_BARS = 30
BAR = 18  # pixels of a bar and its gap
MEASURES = {
    "log_loss": "rise of the log loss (nats)",
    "relative_squared_error": "rise of the squared error (in variances of the target)",
}


def importance(of: ChartData) -> Chart:
    """Bars of the mean rise of the loss, the most important input first, with one standard deviation to both sides.

    Raises:
        NotAvailable: the model's importance was not recorded.
    """
    found = of.importance
    if found is None:
        raise NotAvailable(
            "the importance of this model's inputs was not recorded: it is from before that, or could not be measured"
        )
    inputs = found.inputs[:MOST_BARS]
    names = distinct([each.input for each in inputs])
    rows = [
        {"input": name, "mean": each.mean, "low": each.mean - each.std, "high": each.mean + each.std}
        for name, each in zip(names, inputs, strict=True)
    ]
    unlisted = len(found.inputs) - len(inputs)
    about = title(
        "Importance of the inputs",
        f"{found.part}, {found.rows:,} rows; each input permuted {found.permutations} times; lines: ± 1 standard deviation",
        f"the {len(inputs)} most important of {len(found.inputs):,} inputs" if unlisted else "",
        f"not measured: {found.left_out:,} input{'s' if found.left_out > 1 else ''}" if found.left_out else "",
    )
    y = alt.Y("input:N", title=None, sort=names, axis=alt.Axis(labelLimit=220))
    x = alt.X("mean:Q", title=MEASURES[found.measure], axis=alt.Axis(tickCount=5), scale=alt.Scale(nice=False))
    base = chart(rows, width=WIDTH, height=BAR * len(rows))
    bars = base.mark_bar(color=BLUE, height={"band": 0.7}).encode(x=x, y=y)
    spread = base.mark_rule(color=BLACK, strokeWidth=1.5).encode(x=alt.X("low:Q"), x2="high:Q", y=y)
    return alt.layer(bars, spread, title=about)

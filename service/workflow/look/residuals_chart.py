"""The chart `residuals`: what a regression's predictions miss, over the predictions."""

import altair as alt

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Axis, Chart, numbers
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import GREY, PARTS, beyond, chart, grid, scatter, title
from service.workflow.look.points import TargetPoints
from service.workflow.parts import PARTS as ALL_PARTS


def residuals(of: ChartData) -> Chart:
    """The true minus the predicted value over the predicted one, for each target.

    Raises:
        NotAvailable: the model answers no numbers.
    """
    if not of.answers_numbers:
        raise NotAvailable("there are no residuals: the model answers no numbers; see `confusion` and `roc`")
    small = len(of.targets) > 1
    axes = [_axes(of, target) for target in of.targets]
    charts = [_residuals(of, x, y, small=small) for x, y in axes]
    what = f"{len(charts)} targets" if small else of.name(of.targets[0])
    notes = of.told_rows(ALL_PARTS), beyond(*(axis for pair in axes for axis in pair))
    about = title(f"Residuals of {what}: true minus predicted", *notes)
    return grid(charts, about) if small else charts[0].properties(title=about)


def _axes(of: ChartData, target: TargetPoints) -> tuple[Axis, Axis]:
    missed = [
        None if predicted is None else float(truth) - float(predicted)
        for truth, predicted in zip(target.truth, target.prediction, strict=True)
    ]
    name = of.name(target)
    return numbers(f"predicted {name}", target.prediction), numbers(f"residual of {name}", missed)


def _residuals(of: ChartData, x: Axis, y: Axis, *, small: bool) -> Chart:
    zero = chart([{"y": 0.0}]).mark_rule(color=GREY, strokeDash=[5, 4], clip=True)
    line = zero.encode(y=y.encode(alt.Y, small=small))
    return alt.layer(line, scatter(x, y, PARTS, of.points.part, small=small))

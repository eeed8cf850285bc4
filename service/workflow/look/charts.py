"""The charts by their names, as Vega-Lite for PNG, SVG and browsers."""

from collections.abc import Callable
from typing import Any

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Chart
from service.workflow.look.calibration_chart import calibration
from service.workflow.look.chart_data import ChartData
from service.workflow.look.confusion_chart import confusion
from service.workflow.look.curve_charts import precision_recall, roc
from service.workflow.look.data_chart import data
from service.workflow.look.dependence_chart import partial_dependence
from service.workflow.look.filters_chart import filters
from service.workflow.look.importance_chart import importance
from service.workflow.look.learning_curve import learning_curve
from service.workflow.look.parameters_chart import parameters
from service.workflow.look.predictions_chart import predictions
from service.workflow.look.residuals_chart import residuals
from service.workflow.look.sweep_charts import SWEEP_CHARTS, SweepData

CHARTS: dict[str, Callable[[ChartData], Chart]] = {
    "data": data,
    "predictions": predictions,
    "residuals": residuals,
    "learning_curve": learning_curve,
    "importance": importance,
    "partial_dependence": partial_dependence,
    "parameters": parameters,
    "filters": filters,
    "confusion": confusion,
    "roc": roc,
    "precision_recall": precision_recall,
    "calibration": calibration,
}
INK, FAINT = "#24292f", "#57606a"


def describe(name: str, of: ChartData) -> dict[str, Any]:
    """A chart in Vega-Lite.

    Raises:
        NotAvailable: the model has no such chart.
    """
    return _described(CHARTS[name](of))


def describe_sweep(name: str, of: SweepData) -> dict[str, Any]:
    """A chart of a sweep in Vega-Lite.

    Raises:
        NotAvailable: the sweep has too few trials for it.
    """
    if not of.trials:
        raise NotAvailable("no trial of this sweep has come to anything yet")
    return _described(SWEEP_CHARTS[name](of))


def _described(drawn: Chart) -> dict[str, Any]:
    drawn = drawn.configure(background="white", padding=12, font="sans-serif").configure_view(stroke="#d0d7de")
    drawn = drawn.configure_title(
        anchor="start", frame="group", fontSize=15, color=INK, subtitleFontSize=12, subtitleColor=FAINT, offset=12
    )
    drawn = drawn.configure_axis(
        gridColor="#eaeef2", domainColor="#8c959f", labelColor=INK, titleColor=INK, titleFontWeight="normal"
    )
    described: dict[str, Any] = drawn.configure_legend(labelColor=INK, labelFontSize=11, labelLimit=220).to_dict()
    return described

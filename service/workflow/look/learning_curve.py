"""The chart `learning_curve`: the losses over the epochs."""

import math
import statistics
from itertools import accumulate
from typing import Any

import altair as alt

from service.workflow.look.axes import Chart, Extent
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import BLUE, GREEN, GREY, HEIGHT, PURPLE, WIDTH, chart, title
from service.workflow.look.text import distinct

STYLES = {"train": (BLUE, [1, 0]), "validation": (PURPLE, [6, 3])}
OTHER = (GREEN, [2, 2])
DECADES = 1.5  # losses that span more get a logarithmic axis
MOST = 240  # epochs with a place of their own: two pixels
FEW = 4  # epochs that are drawn as points, too
LOSS = "_loss"


def learning_curve(of: ChartData) -> Chart:
    """The losses over the epochs, in the trained scale; the epoch of the lowest validation loss is marked, or with folds where
    each network begins."""
    series = _series(of)
    losses = [loss for points in series.values() for _, loss in points]
    last = max((epoch for epoch in of.history["epoch"] if epoch is not None), default=0)
    about = f"{last:,.0f} epoch{'s' if last != 1 else ''}"
    axis = alt.Axis(format="~d", tickMinStep=1)
    x, y = alt.X("epoch:Q", title="epoch", axis=axis, scale=alt.Scale(zero=False, nice=False)), _losses(losses)
    lines = _lines(series, x, y)
    if of.folds:
        begins = [{"epoch": 1 + epochs} for epochs in accumulate(of.folds) if epochs < last]
        rules = chart(begins).mark_rule(color=GREY, strokeDash=[4, 4]).encode(x=x)
        about += f"; the networks of {len(of.folds)} folds one after another"
        return alt.layer(rules, *lines, title=title("Learning curve", about))
    monitored = next((series[name] for name in ("validation", "train") if series.get(name)), None)
    if monitored is None:
        return lines[0].properties(title=title("Learning curve", about))
    epoch, loss = min(monitored, key=lambda point: point[1])
    which = "validation" if monitored is series.get("validation") else "train"
    about += f"; lowest {which} loss {loss:.4g} at epoch {epoch:,.0f}"
    best = chart([{"epoch": epoch, "loss": loss}])
    rule = best.mark_rule(color=GREY, strokeDash=[4, 4]).encode(x=x)
    dot = best.mark_point(color=GREY, filled=True, size=60, opacity=1).encode(x=x, y=y)
    return alt.layer(rule, *lines, dot, title=title("Learning curve", about))


def _series(of: ChartData) -> dict[str, list[tuple[float, float]]]:
    """The epochs and finite losses of each part."""
    return {
        name.removesuffix(LOSS): [
            (epoch, loss)
            for epoch, loss in zip(of.history["epoch"], losses, strict=True)
            if epoch is not None and loss is not None and math.isfinite(loss)
        ]
        for name, losses in of.history.items()
        if name.endswith(LOSS)
    }


def _lines(series: dict[str, list[tuple[float, float]]], x: Chart, y: Chart) -> list[Chart]:
    """A line for each part; of many epochs through medians, in a band from the lowest to the highest loss."""
    names = distinct(list(series))
    rows: list[dict[str, Any]] = [
        {"part": name, "epoch": epoch, "loss": statistics.median(losses), "low": min(losses), "high": max(losses)}
        for name, points in zip(names, series.values(), strict=True)
        for epoch, losses in _bundled(points)
    ]
    few = all(len(points) < FEW for points in series.values())
    lines = chart(rows, width=WIDTH, height=HEIGHT).mark_line(point=few, strokeJoin="round", strokeWidth=1.8)
    if not rows:
        return [lines.encode(x=x, y=y)]
    styles = [STYLES.get(name, OTHER) for name in series]
    legend = alt.Legend(title=None, symbolSize=300, symbolStrokeWidth=2.5, symbolType="stroke", symbolOpacity=1)
    colours = alt.Scale(domain=names, range=[colour for colour, _ in styles])
    dashes = alt.Scale(domain=names, range=[dash for _, dash in styles])
    colour = alt.Color("part:N", scale=colours, legend=legend)
    drawn = lines.encode(x=x, y=y, color=colour, strokeDash=alt.StrokeDash("part:N", scale=dashes, legend=legend))
    if all(row["low"] == row["high"] for row in rows):
        return [drawn]
    low = y.copy()
    low.shorthand = "low:Q"
    band = chart([row for row in rows if row["low"] < row["high"]]).mark_area(opacity=0.25)
    return [band.encode(x=x, y=low, y2="high:Q", color=colour), drawn]


def _bundled(points: list[tuple[float, float]]) -> list[tuple[float, list[float]]]:
    """At most `MOST` epochs, each with the losses of those that follow it up to the next."""
    step = 1 if len(points) <= MOST else 2 * -(-len(points) // (2 * MOST))  # even: some losses alternate
    return [
        (points[start][0], [loss for _, loss in points[start : start + step]]) for start in range(0, len(points), step)
    ]


def _losses(losses: list[float]) -> Chart:
    if not losses or min(losses) <= 0 or max(losses) / min(losses) < 10**DECADES:
        return alt.Y("loss:Q", title="loss", scale=alt.Scale(zero=False))
    shown = Extent(min(losses) / 1.1, min(max(losses), 1e307) * 1.1, log=True)
    return alt.Y("loss:Q", title="loss, on a logarithmic axis", axis=shown.ticks(7), scale=shown.scale)

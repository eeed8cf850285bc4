"""What all charts share: sizes, colours and shapes, titles, and scatter plots."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt

from service.workflow.look.axes import LARGE, SMALL, Axis, Chart
from service.workflow.look.text import text

(WIDTH, HEIGHT), (SMALL_WIDTH, SMALL_HEIGHT), ACROSS = LARGE, SMALL, 3
# Okabe and Ito, "Color Universal Design", 2008: told apart with any kind of colour vision. Without its yellow, which is too
# pale on white; orange and light blue, which are pale, come last among many lines.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, BLACK = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000"
SKY = "#56b4e9"
GREY = "#767676"
PARTS = {"train": (BLUE, "circle"), "validation": (PURPLE, "square"), "test": (GREEN, "triangle-up")}
PARTS |= {"prediction": (VERMILLION, "diamond")}
ANSWERS = {"right": (BLUE, "circle"), "wrong": (VERMILLION, "cross")}
CELL = 6  # pixels of a cell in which overlapping points are counted
CROWDED = 3.0  # points in an occupied cell, on average: more are drawn as a density
FEWEST_FOR_DENSITY = 500
BAND, SPREAD = (-0.6, 0.6), (-0.5, 0.5)  # of a name on an axis, and where its points are in that
Groups = dict[str, tuple[str, str]]


def title(of: str, *lines: str) -> alt.Title:
    """A chart's title, and smaller lines under it."""
    return alt.Title(text=of, subtitle=[line for line in lines if line])


def chart(
    rows: list[dict[str, Any]], of: Any = alt.Undefined, width: Any = alt.Undefined, height: Any = alt.Undefined
) -> Chart:
    """A chart of rows without marks, in pixels, or a layer of one. Their texts may be anything; `of` is its title."""
    values = [{name: text(each) if isinstance(each, str) else each for name, each in row.items()} for row in rows]
    return alt.Chart(alt.InlineData(values=values), title=of, width=width, height=height)


def grid(charts: list[Chart], of: alt.Title) -> Chart:
    """Charts beside each other, four in two rows of two."""
    columns = 2 if len(charts) == 4 else ACROSS
    drawn = alt.concat(*charts, columns=columns, title=of, spacing=24)
    return drawn.resolve_scale(xOffset="independent", yOffset="independent")


def stacked(charts: list[Chart]) -> Chart:
    """Charts below each other, each with its own axes and legends."""
    if len(charts) == 1:
        return charts[0]
    return alt.vconcat(*charts, spacing=30).resolve_scale(
        x="independent", y="independent", color="independent", shape="independent"
    )


def coloured(field: str, groups: Groups, present: Sequence[str]) -> dict[str, Chart]:
    """Encodings of a group by colour and by shape, with one legend of those that are present."""
    drawn = [name for name in groups if name in set(present)]
    legend = alt.Legend(symbolOpacity=1, symbolSize=70)
    colours = alt.Scale(domain=drawn, range=[groups[name][0] for name in drawn])
    shapes = alt.Scale(domain=drawn, range=[groups[name][1] for name in drawn])
    return {
        "color": alt.Color(f"{field}:N", title=None, scale=colours, legend=legend),
        "shape": alt.Shape(f"{field}:N", title=None, scale=shapes, legend=legend),
    }


def scatter(x: Axis, y: Axis, groups: Groups, group: Sequence[str], *, small: bool, height: int = 0) -> Chart:
    """A point for each row that has both values, coloured by its group. Along names the points are spread at random; where many
    points of numbers overlap, the chart shows how many there are instead."""
    size = (SMALL_WIDTH, SMALL_HEIGHT) if small else (WIDTH, height or HEIGHT)
    rows = [
        {"x": at, "y": up, "group": name}
        for at, up, name in zip(x.values, y.values, group, strict=True)
        if at is not None and up is not None
    ]
    axes = {"x": x.encode(alt.X, small=small), "y": y.encode(alt.Y, small=small)}
    if cells := _crowded(x, y, rows, size):
        return _density(x, y, cells, size, axes)
    spread = random.Random(0)  # noqa: S311 - the same picture every time
    offsets: dict[str, Chart] = {}
    if x.kind == "N":
        rows = [{**row, "dx": round(spread.uniform(*SPREAD), 3)} for row in rows]
        offsets["xOffset"] = alt.XOffset("dx:Q", scale=alt.Scale(domain=list(BAND)))
    if y.kind == "N":
        rows = [{**row, "dy": round(spread.uniform(*SPREAD), 3)} for row in rows]
        offsets["yOffset"] = alt.YOffset("dy:Q", scale=alt.Scale(domain=list(BAND)))
    area, opacity = _size(len(rows), small=small)
    points = chart(rows, width=size[0], height=size[1]).mark_point(filled=True, size=area, opacity=opacity)
    return points.encode(**axes, **offsets, **coloured("group", groups, group))


def beyond(*axes: Axis) -> str:
    """A sentence about the values that are outside of these axes; empty if there are none."""
    count = sum(
        axis.extent.beyond(value)
        for axis in axes
        if axis.kind == "Q"
        for value in axis.values
        if isinstance(value, float)
    )
    verb = "values are" if count > 1 else "value is"
    return f"{count:,} far {verb} drawn at the edge" if count else ""


def _size(count: int, *, small: bool) -> tuple[int, float]:
    """The area in square pixels and the opacity of each of `count` points."""
    if count <= 100:
        return (24 if small else 40), 0.8
    if count <= 600:
        return (14 if small else 26), 0.65
    return (9 if small else 16), 0.5


def _crowded(x: Axis, y: Axis, rows: list[dict[str, Any]], size: tuple[int, int]) -> Counter[tuple[int, int]] | None:
    """The number of points in each cell, if they overlap too much to be told apart."""
    if x.kind != "Q" or y.kind != "Q" or len(rows) < FEWEST_FOR_DENSITY:
        return None
    across, up = size[0] // CELL, size[1] // CELL
    cells = Counter(
        (min(int(x.extent.place(row["x"]) * across), across - 1), min(int(y.extent.place(row["y"]) * up), up - 1))
        for row in rows
    )
    return cells if len(rows) / len(cells) > CROWDED else None


def _density(x: Axis, y: Axis, cells: Counter[tuple[int, int]], size: tuple[int, int], axes: dict[str, Any]) -> Chart:
    across, up = size[0] // CELL, size[1] // CELL
    most = max(cells.values())
    rows = [
        {
            "x": x.extent.at(column / across),
            "x2": x.extent.at((column + 1) / across),
            "y": y.extent.at(line / up),
            "y2": y.extent.at((line + 1) / up),
            "rows": count,
            "shade": round(0.15 + 0.85 * math.sqrt(count / most), 3),
        }
        for (column, line), count in sorted(cells.items())
    ]
    shade = alt.Opacity("shade:Q", scale=None, legend=None)
    squares = chart(rows, width=size[0], height=size[1]).mark_rect(color=BLUE, stroke=None)
    return squares.encode(**axes, x2="x2:Q", y2="y2:Q", opacity=shade)

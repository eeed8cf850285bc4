"""Layers of pictures and texts at places in pixels, of which charts of examples are made."""

import base64
import io
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from service.workflow.look.axes import Chart
from service.workflow.look.drawing import BLACK, GREY, VERMILLION
from service.workflow.look.examples import Picture
from service.workflow.look.text import text

SHARP = 128  # pixels to which small pictures are enlarged, so that no program blurs them
INK, FAINT, WRONG = BLACK, GREY, VERMILLION
LONGEST_LINE = 120  # characters; wide lines are cut at their width
ISOLATED = "\u2068{}\u2069"  # a text whose direction does not change the order of what is around it


@dataclass(frozen=True)
class Tile:
    """A picture whose left upper corner is at (x, y), with a longer side of `side` pixels."""

    picture: Picture
    x: float
    y: float
    side: float

    @property
    def size(self) -> tuple[float, float]:
        """Its width and height."""
        share = self.side / max(self.picture.width, self.picture.height)
        return max(self.picture.width * share, 1), max(self.picture.height * share, 1)


@dataclass(frozen=True)
class Words:
    """Lines of text whose left upper corner is at (x, y), cut at `width` pixels."""

    lines: Sequence[str]
    x: float
    y: float
    width: float
    color: str = INK
    bold: bool = False


def layer(tiles: Sequence[Tile], words: Sequence[Words], width: float, height: float) -> Chart:
    """One chart of these, in pixels."""
    layers = []
    for size in sorted({each.size for each in tiles}):
        rows = [{"x": each.x, "y": each.y, "picture": address(each.picture)} for each in tiles if each.size == size]
        pictures = _base(rows).mark_image(width=size[0], height=size[1], align="left", baseline="top")
        layers.append(pictures.encode(**_places(), url="picture:N"))
    for style in sorted({(each.width, each.color, each.bold) for each in words}):
        most, color, bold = style
        rows = [
            {"x": each.x, "y": each.y, "text": [text(line, LONGEST_LINE) for line in each.lines]}
            for each in words
            if (each.width, each.color, each.bold) == style and each.lines
        ]
        layers.append(
            _base(rows)
            .mark_text(
                align="left",
                baseline="top",
                limit=most,
                color=color,
                fontSize=11,
                lineHeight=14,
                fontWeight="bold" if bold else "normal",
            )
            .encode(**_places(), text="text:N")
        )
    return alt.layer(*layers, width=width, height=height, view=alt.ViewBackground(stroke=None))


def address(picture: Picture) -> str:
    """A picture as a `data:` URL of a PNG file; a small one is enlarged by a whole number."""
    from PIL import Image

    size = (picture.width, picture.height)
    image = Image.frombytes("RGB" if picture.channels == 3 else "L", size, picture.bytes)
    times = SHARP // max(size)
    if times > 1:
        image = image.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def wrapped(given: str, width: int, lines: int) -> list[str]:
    """A text in at most `lines` lines of `width` columns; wide characters, such as Chinese ones, take two."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in given)
    columns = max(round(width / (1 + wide / max(len(given), 1))), 1)
    made = textwrap.wrap(" ".join(given.split()), columns)
    if len(made) > lines:
        made = [*made[: lines - 1], f"{made[lines - 1][: columns - 1]}…"]
    return made or [""]


def isolated(given: str) -> str:
    """A text as a part of a line: one that is written from right to left does not reorder the rest."""
    return ISOLATED.format(given) if any(unicodedata.bidirectional(each) in ("R", "AL") for each in given) else given


def _base(rows: list[dict[str, Any]]) -> Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _places() -> dict[str, Chart]:
    return {"x": alt.X("x:Q", scale=None, axis=None), "y": alt.Y("y:Q", scale=None, axis=None)}

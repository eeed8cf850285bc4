"""Values that have a shape, for the rows that an export is checked with: examples of the data, random ones, and edge cases."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from service.workflow.data.table import Numbers, Texts
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.encode import shaped_inputs
from service.workflow.exports.export import Source
from service.workflow.look.examples import Examples, Picture
from service.workflow.signature import Input

MOST_NUMBERS = 2**20  # of all tensors of a batch together, which bounds the memory of its forward
LEAST_ROWS = 3
FAR = 1e6  # standard deviations
WORDS = [
    *("a", "the", "of", "and", "is", "not", "7", "12.5", "http://x.y/z", "?", "", "\t", "\n", "#tag", "x\u0301", "🙂"),
    *("été", "Straße", "naïve", "мир", "да", "你好", "世界", "こんにちは", "שלום", "مرحبا", "👩\u200d👩\u200d👧"),
]
LONG_WORDS = 3000

Shaped = Numbers | Texts


def most_rows(inputs: Sequence[Input]) -> int | None:
    """The number of rows that are checked at once; None if no input's values have a shape."""
    sizes = [math.prod(each.shape or ()) for each, _ in shaped_inputs(inputs)]
    return max(LEAST_ROWS, MOST_NUMBERS // max(1, sum(sizes))) if sizes else None


def column(
    source: Source, of: Input, kind: ShapedType, count: int, draw: np.random.Generator, examples: Examples | None
) -> Shaped:
    """A column that begins with the examples of the data that there are of this input; the other values are random."""
    found = [] if examples is None else [each for each in _seen(of, examples) if each is not None][:count]
    made = _drawn(source, of, kind, count, draw)
    if isinstance(made, Texts):
        return Texts(made.codes, [*map(str, found), *made.values[len(found) :]])
    for row, value in enumerate(found):
        made[row] = value
    return made


def _seen(of: Input, examples: Examples) -> list[str | Numbers | None]:
    """Texts, or images of the input's shape, whose pixels are repeated where the example is smaller."""
    rows = [each for group in examples.groups for each in group.examples] + examples.worst
    if of.name == examples.text:
        return [each.text for each in rows]
    if of.name != examples.picture or len(of.shape or []) != 3 or of.dtype != "uint8":
        return []
    return [None if each.picture is None else _stretched(each.picture, of.shape or []) for each in rows]


def _stretched(picture: Picture, shape: Sequence[int]) -> Numbers | None:
    """A picture as uint8 [channels, height, width]; None if it has other channels."""
    channels, height, width = shape
    if picture.channels != channels:
        return None
    pixels = np.frombuffer(picture.bytes, np.uint8).reshape(picture.height, picture.width, channels)
    rows, columns = np.arange(height) * picture.height // height, np.arange(width) * picture.width // width
    return np.asarray(pixels[rows][:, columns].transpose(2, 0, 1))


def _drawn(source: Source, of: Input, kind: ShapedType, count: int, draw: np.random.Generator) -> Shaped:
    """Random values: texts of words in several scripts, pixels, ids, or numbers around the mean of the training part, of which
    some are missing."""
    if kind.texts:
        texts = [" ".join(draw.choice(WORDS, draw.integers(0, 30)).tolist()) for _ in range(count)]
        return Texts(np.arange(count, dtype=np.int32), texts)
    shape, ids = (count, *(of.shape or ())), kind.ids(of)
    if ids is not None or of.dtype == "uint8":
        return draw.integers(0, ids or 256, shape).astype(_dtype(of, kind))
    mean, deviation = _moments(source, of)
    values = mean + deviation * draw.standard_normal(shape)
    return np.where(draw.random(shape) < 0.02, np.nan, values).astype(np.float32)


def missing(of: Input, kind: ShapedType) -> list[Any]:
    """Missing values of an input, each a text or None, or an array of its shape."""
    if kind.texts:
        return [None, "", " \n"]
    if kind.ids(of) is None and of.dtype is None:
        return [np.full(of.shape or (), np.nan, np.float32)]
    return [np.zeros(of.shape or (), _dtype(of, kind))]


def extreme(source: Source, of: Input, kind: ShapedType) -> list[Any]:
    """Extreme values of an input, each a text or an array of its shape."""
    if kind.texts:
        return [" ".join(WORDS * (LONG_WORDS // len(WORDS))), "x" * 50_000, "\0", "🙂" * 500]
    shape, ids = tuple(of.shape or ()), kind.ids(of)
    if ids is not None or of.dtype == "uint8":
        return [np.full(shape, 255 if ids is None else ids - 1, _dtype(of, kind))]
    mean, deviation = _moments(source, of)
    away, most = FAR * (np.abs(mean) + deviation), float(np.finfo(np.float32).max)
    return [np.broadcast_to(each, shape).astype(np.float32) for each in (-away, away, np.array(-most), np.array(most))]


def _dtype(of: Input, kind: ShapedType) -> Any:
    return np.int64 if kind.ids(of) is not None else np.uint8 if of.dtype == "uint8" else np.float32


def _moments(source: Source, of: Input) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation of the training part, of a shape that broadcasts to that of a row."""
    scaling = source.model.scalings[of.name]
    return scaling.mean.numpy().astype(np.float64), scaling.std.numpy().astype(np.float64)

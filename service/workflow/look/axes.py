"""The axes of charts: numbers within a range that shows most of them, dates, and names."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import altair as alt

from service.workflow.data.types.names import Scalar
from service.workflow.look.text import distinct, text

FENCE = 3  # a value further outside than 3 times the range of the middle 98 % is drawn at the edge
FEWEST_FOR_FENCES = 20
DECADES = 4  # positive values that span more of them get a logarithmic axis
LARGEST, SMALLEST = 1e7, 1e-4  # beyond them the labels are powers of ten
MOST = 7e307  # the ends of a range; its width must be a finite number
MOST_NAMES = 12
LARGE, SMALL = (480, 320), (220, 160)  # width and height of a chart alone and of one of several, in pixels
MISSING = "(missing)"
Chart = Any  # altair's own methods are annotated with Any


@dataclass(frozen=True)
class Extent:
    """The range of an axis of numbers."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value is drawn, from 0 at the low end to 1."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        value = math.log10(value) if self.log else value
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def at(self, place: float) -> float:
        """The value that is drawn at a place."""
        if self.log:
            return float(self.low ** (1 - place) * self.high**place)
        return self.low + (self.high - self.low) * place

    def beyond(self, value: float) -> bool:
        """Whether a value is outside, and so drawn at the edge."""
        return not self.low <= value <= self.high

    @property
    def scale(self) -> Chart:
        """The range as Vega-Lite's scale."""
        given: dict[str, Any] = {"domain": [self.low, self.high], "clamp": True, "nice": False}
        return alt.Scale(type="log", **given) if self.log else alt.Scale(zero=False, **given)

    @property
    def format(self) -> Chart:
        """The format of numbers at the ticks."""
        most = max(abs(self.low), abs(self.high))
        return "~g" if self.log or most >= LARGEST or most <= SMALLEST else alt.Undefined

    def ticks(self, count: int, **settings: Any) -> Chart:
        """The axis with about `count` ticks, and other settings of Altair's."""
        shown: dict[str, Any] = {"values": powers(self.low, self.high, count)} if self.log else {"tickCount": count}
        return alt.Axis(format=self.format, labelOverlap="greedy", **shown, **settings)


def extent(values: Sequence[float]) -> Extent:
    """The range that shows most of these numbers, with a margin."""
    if not values:
        return Extent(0, 1)
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    first, last = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
    if low > 0 and high / low > 10**DECADES and last / first > 10 ** (DECADES - 1):
        return Extent(low / 1.2, min(high, 1e307) * 1.2, log=True)
    if len(ordered) >= FEWEST_FOR_FENCES and last > first:
        reach = FENCE * (last - first)
        low = next(value for value in ordered if value >= first - reach)
        high = next(value for value in reversed(ordered) if value <= last + reach)
    return with_margin(low, high)


def powers(low: float, high: float, count: int) -> list[float]:
    """About `count` powers of ten from `low` to `high`; with twice and five times them where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    step = max(round((last - first) / count), 1)
    factors = (1, 2, 5) if last - first <= count // 3 + 1 else (1,)
    made = [float(f"{factor}e{power}") for power in range(first, last + 1, step) for factor in factors]
    return [each for each in made if low <= each <= high]


def with_margin(low: float, high: float) -> Extent:
    """The range with 4 % more at each end; around a single value, a tenth of it."""
    low, high = (min(max(each, -MOST), MOST) for each in (low, high))
    margin = 0.04 * high - 0.04 * low or abs(low) / 10 or 1.0
    return Extent(low - margin, high + margin)


@dataclass(frozen=True)
class Axis:
    """An axis and the value of each row on it, None for rows that it does not show.

    `kind` is Vega-Lite's: Q for numbers, T for dates, N for names. `names` are those of N, in order.
    """

    title: str
    kind: Literal["Q", "T", "N"]
    values: Sequence[Scalar | None]
    names: list[str] = field(default_factory=list)
    extent: Extent = Extent(0, 1)

    def encode(self, channel: type[alt.X] | type[alt.Y], *, small: bool) -> Chart:
        """The encoding of its field, `x` or `y`."""
        letter = channel.__name__.lower()
        length = (SMALL if small else LARGE)[letter == "y"]
        if self.kind == "N":
            wide = sum(map(len, self.names)) > (24 if small else 60)  # characters that fit beside each other
            angle: dict[str, Any] = {"labelAngle": -40 if wide else 0} if channel is alt.X else {}
            axis = alt.Axis(labelLimit=90 if small else 160, titleLimit=length, **angle)
            scale = alt.Scale(domain=self.names, padding=0.1, type="band")
            return channel(f"{letter}:N", title=self.title, sort=None, axis=axis, scale=scale)
        if self.kind == "T":
            return channel(
                f"{letter}:T", title=self.title, axis=alt.Axis(tickCount=4 if small else 7, titleLimit=length)
            )
        axis = self.extent.ticks(4 if small else 7, titleLimit=length)
        return channel(f"{letter}:Q", title=self.title, axis=axis, scale=self.extent.scale)


def numbers(title: str, values: Sequence[Any], shown: Extent | None = None) -> Axis:
    """An axis of numbers."""
    kept = [None if value is None or not math.isfinite(value) else float(value) for value in values]
    return Axis(title, "Q", kept, extent=shown or extent([value for value in kept if value is not None]))


def names(title: str, values: Sequence[Scalar | None], order: Sequence[Scalar] = ()) -> Axis:
    """An axis of names: in `order`, then in their own. Of more than `MOST_NAMES` the rare ones are drawn as one."""
    given = [MISSING if value is None else _name(value) for value in values]
    ranks = {_name(each): rank for rank, each in enumerate(order)}
    counts = Counter(given)
    present = sorted(counts, key=lambda each: (each == MISSING, ranks.get(each, len(ranks)), each))
    if len(present) > MOST_NAMES:
        frequent = {each for each, _ in counts.most_common(MOST_NAMES - 1)}
        rare = f"({len(present) - len(frequent)} others)"
        given = [each if each in frequent else rare for each in given]
        present = [*(each for each in present if each in frequent), rare]
    shown = dict(zip(present, distinct(present), strict=True))
    return Axis(title, "N", [shown[each] for each in given], list(shown.values()))


def of_few_numbers(title: str, values: Sequence[Any]) -> Axis | None:
    """An axis of names for whole numbers of which there are few, many times each; None for other numbers."""
    present = {value for value in values if value is not None}
    if len(present) > MOST_NAMES or len(values) < 4 * len(present):
        return None
    if not all(isinstance(each, int | float) and float(each).is_integer() for each in present):
        return None
    return names(title, [None if value is None else int(value) for value in values], sorted(map(int, present)))


def dates(title: str, values: Sequence[Scalar | None]) -> Axis:
    """An axis of dates, in ISO 8601."""
    return Axis(title, "T", [None if value is None else text(str(value)) for value in values])


def _name(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

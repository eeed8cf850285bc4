"""A histogram of numbers that arrive in batches, whose range is not known before."""

import math
import sys

import numpy as np
from pydantic import BaseModel, ConfigDict

from service.workflow.data.table import Numbers

MOST_BINS = 48
DIGITS = 50  # bits of a bin's number: a float64 holds it exactly
LEAST_EXPONENT = -1022  # of the width of a bin


class Bins(BaseModel):
    """Counts of numbers in bins side by side: the first begins at `start`, each is `width` wide."""

    model_config = ConfigDict(frozen=True)

    start: float
    width: float
    counts: list[int]


class Histogram:
    """Counts numbers in at most `MOST_BINS` bins. Their width is a power of two and they begin at multiples of it, so that two
    neighbours become one bin of twice the width where a number would be outside of the range."""

    def __init__(self) -> None:
        self._exponent = LEAST_EXPONENT  # the width is 2 to this power
        self._first = 0  # the first bin begins at this multiple of the width
        self._counts = np.zeros(0, np.int64)

    def add(self, numbers: Numbers, counts: Numbers | None = None) -> None:
        """Adds finite numbers [n], each as often as `counts` [n] says, or once."""
        if not len(numbers):
            return
        low, high = float(numbers.min()), float(numbers.max())
        self._widen(low, high)
        at = np.floor(np.ldexp(numbers, -self._exponent)).astype(np.int64)
        first = int(at.min())
        self._merge(first, np.bincount(at - first, counts).astype(np.int64))

    def bins(self) -> Bins | None:
        """The counts so far; None if there are none."""
        if not len(self._counts):
            return None
        width = 2.0**self._exponent
        start = max(self._first * width, -sys.float_info.max)
        return Bins(start=start, width=width, counts=self._counts.tolist())

    def _widen(self, low: float, high: float) -> None:
        """Doubles the width until the range from `low` to `high` and all earlier numbers fit."""
        size = math.frexp(max(abs(low), abs(high)))[1] - DIGITS
        half = (high / 2 - low / 2) / MOST_BINS  # of the range, which may exceed a float64
        exponent = max(self._exponent, size, math.frexp(half)[1] if half else LEAST_EXPONENT)
        while not self._fits(low, high, exponent):
            exponent += 1
        merged = (self._first + np.arange(len(self._counts))) >> (exponent - self._exponent)
        self._exponent = exponent
        if len(merged):
            self._first = int(merged[0])
            self._counts = np.bincount(merged - merged[0], self._counts).astype(np.int64)

    def _fits(self, low: float, high: float, exponent: int) -> bool:
        first, last = math.floor(low * 2.0**-exponent), math.floor(high * 2.0**-exponent)
        if len(self._counts):
            apart = exponent - self._exponent
            first = min(first, self._first >> apart)
            last = max(last, (self._first + len(self._counts) - 1) >> apart)
        return last - first < MOST_BINS

    def _merge(self, first: int, counts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
        if not len(self._counts):
            self._first, self._counts = first, counts
            return
        begin = min(first, self._first)
        end = max(first + len(counts), self._first + len(self._counts))
        both = np.zeros(end - begin, np.int64)
        both[self._first - begin :][: len(self._counts)] += self._counts
        both[first - begin :][: len(counts)] += counts
        self._first, self._counts = begin, both

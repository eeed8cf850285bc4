"""Histograms of numbers that arrive in batches."""

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.data.histogram import MOST_BINS, Histogram
from tests.examples import examples

# no quotient of two of them is too small for a float64
SIZES = st.floats(1e-100, 1e200)
NUMBERS = st.just(0.0) | SIZES | SIZES.map(lambda each: -each)
BATCHES = st.lists(
    st.lists(
        NUMBERS | st.integers(-999, 999).map(lambda each: each / 1000) | st.integers(0, 9).map(float), max_size=20
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=examples(100), deadline=None)
@given(BATCHES)
def test_every_number_is_counted_in_its_bin(batches: Sequence[Sequence[float]]) -> None:
    histogram = Histogram()
    for batch in batches:
        histogram.add(np.array(batch, np.float64))
    numbers = [each for batch in batches for each in batch]
    bins = histogram.bins()
    if bins is None:
        assert numbers == []
        return
    assert 1 <= len(bins.counts) <= MOST_BINS
    assert math.isfinite(bins.start)
    wanted = [0] * len(bins.counts)
    first = math.floor(bins.start / bins.width)
    for each in numbers:
        wanted[math.floor(each / bins.width) - first] += 1
    assert bins.counts == wanted


def test_the_largest_and_the_smallest_numbers_are_counted() -> None:
    histogram = Histogram()
    for batch in ([5e-324], [-5e-324, 0.0], [-1e-300], [1.79e308], [-1.79e308, 5e-324]):
        histogram.add(np.array(batch))
    bins = histogram.bins()
    assert bins is not None
    assert sum(bins.counts) == 7
    assert len(bins.counts) <= MOST_BINS
    assert math.isfinite(bins.start)


def test_the_bins_are_as_narrow_as_their_number_allows() -> None:
    histogram = Histogram()
    histogram.add(np.full(10, 0.3))  # a first batch without a range
    histogram.add(np.linspace(0, 0.5, 1000))
    bins = histogram.bins()
    assert bins is not None
    assert len(bins.counts) >= MOST_BINS // 2
    assert sum(bins.counts) == 1010


def test_values_with_frequencies_are_counted_alike() -> None:
    weighted, repeated = Histogram(), Histogram()
    weighted.add(np.array([1.0, 5.0, 9.0]), np.array([3, 0, 2]))
    repeated.add(np.repeat([1.0, 5.0, 9.0], [3, 0, 2]))
    assert weighted.bins() == repeated.bins()

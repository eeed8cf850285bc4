"""Drift: how far the rows that a version has predicted are from those of its reference, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from service.workflow.reference import ColumnReference

FEWEST_ROWS = 100  # of a window, below which there is no statement
LEVEL = 0.001  # the most probable share of windows without drift in which any column is said to have drifted
THRESHOLD = 0.1  # of the PSI, below which a difference is too small to matter, however certain it is
FEWEST_EXPECTED = 5  # rows in a cell, for the chi-squared distribution to hold (Cochran 1954)
SMOOTHING = 0.5  # rows that are added to each cell, so that the PSI of an empty one is finite

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ColumnDrift:
    """One column of a window beside its reference.

    Args:
        name: of the input or output.
        rows: of the window.
        reference_rows: of the reference.
        psi: the population stability index.
        statistic, degrees: of the chi-squared test, and its degrees of freedom; 0 where there is nothing to test.
        p_value: corrected for all columns of the window.
        drifted: whether the difference is beyond chance, and large enough to matter.
        missing, reference_missing: the shares of missing values.
        unknown, reference_unknown: the shares of unknown categories.
    """

    name: str
    rows: int
    reference_rows: int
    psi: float
    statistic: float
    degrees: int
    p_value: float
    drifted: bool
    missing: float
    reference_missing: float
    unknown: float
    reference_unknown: float


def compare(columns: Sequence[ColumnReference], counts: Sequence[Sequence[int]]) -> list[ColumnDrift]:
    """Compares the columns of a window with their references.

    Args:
        columns: the references.
        counts: for each the rows of the window in each of its `cells`.
    """
    tested = [chi_squared(each.cells, ours) for each, ours in zip(columns, counts, strict=True)]
    corrected = holm([p for _, _, p in tested])
    return [
        _column(each, ours, statistic, degrees, p)
        for each, ours, (statistic, degrees, _), p in zip(columns, counts, tested, corrected, strict=True)
    ]


def psi(reference: Sequence[int], window: Sequence[int]) -> float:
    """The population stability index of two lists of counts: Σ (q - p)·ln(q / p) over the cells, of which each has `SMOOTHING`
    rows more than were counted. By convention below 0.1 is no change and above 0.25 a large one (N. Siddiqi, Credit Risk
    Scorecards, 2006)."""
    p, q = (np.asarray(each, np.float64) + SMOOTHING for each in _without_empty(reference, window))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def chi_squared(reference: Sequence[int], window: Sequence[int]) -> tuple[float, int, float]:
    """Pearson's chi-squared test of homogeneity of two lists of counts: statistic, degrees of freedom, p-value. The rarest cells
    are taken together, until fewer than `FEWEST_EXPECTED` rows are expected in none; if one is left there is nothing to test:
    0, 0, 1."""
    both = np.array(_dense(reference, window), np.float64)
    if both.shape[1] < 2:
        return 0.0, 0, 1.0
    expected = both.sum(axis=1, keepdims=True) * both.sum(axis=0) / both.sum()
    statistic, degrees = float(((both - expected) ** 2 / expected).sum()), both.shape[1] - 1
    half = torch.tensor([degrees / 2, statistic / 2], dtype=torch.float64)
    return statistic, degrees, float(torch.special.gammaincc(half[0], half[1]))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected so that the probability of any false alarm among all is at most the level, however the columns
    depend on each other (S. Holm, A simple sequentially rejective multiple test procedure, 1979)."""
    corrected, least = [1.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda each: p_values[each])):
        least = max(least, min(1.0, p_values[at] * (len(p_values) - rank)))
        corrected[at] = least
    return corrected


def _column(of: ColumnReference, counts: Sequence[int], statistic: float, degrees: int, p_value: float) -> ColumnDrift:
    rows, reference_rows, index = sum(counts), of.rows, psi(of.cells, counts)
    return ColumnDrift(
        name=of.name,
        rows=rows,
        reference_rows=reference_rows,
        psi=index,
        statistic=statistic,
        degrees=degrees,
        p_value=p_value,
        drifted=p_value <= LEVEL and index >= THRESHOLD,
        missing=counts[-2] / max(1, rows),
        reference_missing=of.missing / max(1, reference_rows),
        unknown=counts[-1] / max(1, rows),
        reference_unknown=of.unknown / max(1, reference_rows),
    )


def _without_empty(reference: Sequence[int], window: Sequence[int]) -> Numbers:
    both = np.array([reference, window])
    return np.asarray(both[:, both.sum(axis=0) > 0])


def _dense(reference: Sequence[int], window: Sequence[int]) -> Numbers:
    """The counts [2, cells] with the rarest cells as one."""
    both = _without_empty(reference, window)
    both = both[:, np.argsort(both.sum(axis=0), kind="stable")]
    least = both.sum(axis=1).min() / max(1, both.sum())  # the share of the smaller sample
    together = both.sum(axis=0).cumsum() * least
    # The first cells are taken together up to the first at which they have enough rows; every later cell is larger than it, or
    # has joined them.
    enough = int(np.searchsorted(together, FEWEST_EXPECTED)) + 1
    while enough < both.shape[1] and both[:, enough].sum() * least < FEWEST_EXPECTED:
        enough += 1
    return np.concatenate([both[:, :enough].sum(axis=1, keepdims=True), both[:, enough:]], axis=1)

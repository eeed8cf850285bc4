"""Figures of methods over tables: ranks with bootstrap intervals, wins, losses by name, CPU time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cache import Key

WORSE_LOG_LOSS, WORSE_R2 = 0.05, 0.03  # worse by more than this share, or this difference, is named
RESAMPLES = 10_000  # of the tables
LEVEL = 0.9
NEVER = float("inf")  # the loss of a method that failed on one of the splits: its rank is the last


@dataclass(frozen=True)
class Comparison:
    """Some methods on the tables and splits for which each of them has run. `losses` (tables × methods) are means over a
    table's splits: log loss in nats, or 1 − R²."""

    tables: list[str]
    methods: list[str]
    splits: list[list[int]]
    losses: NDArray[np.float64]

    @property
    def ranks(self) -> NDArray[np.float64]:
        """Tables × methods, from 1; equal losses share their mean rank."""
        less = (self.losses[:, None, :] < self.losses[:, :, None]).sum(2)
        equal = (self.losses[:, None, :] == self.losses[:, :, None]).sum(2)
        ranks: NDArray[np.float64] = less + (equal + 1) / 2
        return ranks

    def wins(self) -> tuple[float, int]:
        """How often the first method has a lower loss than the second, ties counted half; of how many tables."""
        first, second = self.losses[:, 0], self.losses[:, 1]
        return float((first < second).sum() + (first == second).sum() / 2), len(first)

    def clearly_worse(self, tasks: dict[str, str]) -> list[tuple[str, float, float]]:
        """The tables where the first is clearly worse than the second, with their log losses, or R²."""
        found = []
        for table, (first, second) in zip(self.tables, self.losses[:, :2].tolist(), strict=True):
            if tasks[table] == "regression":
                if first - second > WORSE_R2:
                    found.append((table, 1 - first, 1 - second))
            elif first > second * (1 + WORSE_LOG_LOSS):
                found.append((table, first, second))
        return found


def compare(found: dict[Key, dict[str, Any]], tables: Iterable[str], methods: Sequence[str]) -> Comparison:
    """The comparison of these methods. A table is left out if they have no split in common there."""
    kept, splits, losses = [], [], []
    for table in tables:
        common = sorted(
            set.intersection(*({s for t, s, m in found if (t, m) == (table, method)} for method in methods))
        )
        if common:
            kept.append(table)
            splits.append(common)
            losses.append([fmean(_loss(found[table, split, method]) for split in common) for method in methods])
    return Comparison(kept, list(methods), splits, np.array(losses).reshape(len(kept), len(methods)))


def _loss(line: dict[str, Any]) -> float:
    if "failed" in line:
        return NEVER
    return float(1 - line["r2"] if "r2" in line else line["log_loss"])


def rank_differences(ranks: NDArray[np.float64], to: int) -> list[tuple[float, float, float]]:
    """Each method's mean rank less that of column `to`, and the ends of its bootstrap interval over the tables."""
    differences = ranks - ranks[:, [to]]
    drawn = np.random.default_rng(0).integers(len(ranks), size=(RESAMPLES, len(ranks)))
    means = differences[drawn].mean(1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return list(zip(differences.mean(0).tolist(), low.tolist(), high.tolist(), strict=True))


def cpu_ratios(found: dict[Key, dict[str, Any]], first: str, second: str, figure: str = "cpu_s") -> list[float]:
    """For each table the CPU seconds of the first method as a multiple of the second's, the median over the splits of both."""
    ratios: dict[str, list[float]] = {}
    for (table, split, method), line in found.items():
        other = found.get((table, split, second), {})
        if method == first and figure in line and "cpu_s" in other:
            ratios.setdefault(table, []).append(line[figure] / other["cpu_s"])
    return [median(each) for each in ratios.values()]

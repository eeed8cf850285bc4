"""Metrics of predictions: counted without locks and labels, converted for Prometheus when they are collected."""

from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 10_000.0, 100_000.0, 1_000_000.0)
MOST_VERSIONS = 200  # with labels of their own; later ones are `other`
BATCH = "batch"  # the stage that is measured in rows, not in seconds


class UnlockedHistogram:
    """A histogram without a lock: two threads that observe at the same moment may lose a count, and nothing else."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Counts a value so many times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def buckets(self) -> list[tuple[str, float]]:
        """For each bound the number of values up to it, as Prometheus has them."""
        so_far, buckets = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            buckets.append((bound, float(so_far)))
        return buckets


class PredictionFigures(Collector):
    """Latencies by model, version and stage, batch sizes, and answers by status."""

    def __init__(self) -> None:
        self._stages: dict[tuple[str, int, str], UnlockedHistogram] = {}
        self._answers: dict[tuple[str, int, int], int] = {}
        self._versions: set[tuple[str, int]] = set()

    def observe(self, name: str, number: int, stage: str, value: float, times: int = 1) -> None:
        """Counts the seconds of a stage of a prediction, or the rows of a batch."""
        found = self._stages.get((name, number, stage))
        if found is None:
            name, number = self._label(name, number)
            new = UnlockedHistogram(ROWS if stage == BATCH else SECONDS)
            found = self._stages.setdefault((name, number, stage), new)
        found.observe(value, times)

    def answered(self, name: str, number: int, status: int) -> None:
        """Counts a response; with name "" and number 0 if no version was found."""
        key = (name, number, status)
        if key not in self._answers:
            key = (*self._label(name, number), status)
        self._answers[key] = self._answers.get(key, 0) + 1

    def forget(self, gone: Callable[[str, int], bool]) -> None:
        """Removes the metrics of versions that are gone, to make room for others."""
        lost = {each for each in list(self._versions) if gone(*each)}
        for stage in [key for key in list(self._stages) if key[:2] in lost]:
            self._stages.pop(stage, None)
        for status in [key for key in list(self._answers) if key[:2] in lost]:
            self._answers.pop(status, None)
        self._versions -= lost

    def versions(self) -> list[tuple[str, int]]:
        """The versions that have answered and have labels of their own."""
        return sorted(self._versions)

    def stage(self, name: str, number: int, stage: str) -> UnlockedHistogram:
        """The histogram of a stage of a version."""
        return self._stages.get((name, number, stage)) or UnlockedHistogram(())

    def answers(self, name: str, number: int) -> dict[int, int]:
        """How many responses a version has given, by status."""
        return {status: count for (*of, status), count in list(self._answers.items()) if of == [name, number]}

    def collect(self) -> Iterator[Metric]:
        labels = ["model", "version"]
        about = "Seconds that predictions spent in a stage."
        seconds = HistogramMetricFamily("modelwright_prediction_seconds", about, labels=[*labels, "stage"])
        rows = HistogramMetricFamily("modelwright_batch_rows", "Rows that shared a forward.", labels=labels)
        for (name, number, stage), each in list(self._stages.items()):
            family, last = (rows, []) if stage == BATCH else (seconds, [stage])
            family.add_metric([name, _text(number), *last], each.buckets(), each.total)
        yield from (seconds, rows)
        about = "Prediction requests that were answered."
        answers = CounterMetricFamily("modelwright_predictions", about, labels=[*labels, "status"])
        for (name, number, status), count in list(self._answers.items()):
            answers.add_metric([name, _text(number), str(status)], count)
        yield answers

    def _label(self, name: str, number: int) -> tuple[str, int]:
        if (name, number) not in self._versions and name:
            if len(self._versions) >= MOST_VERSIONS:
                return "other", 0
            self._versions.add((name, number))
        return name, number


def _text(number: int) -> str:
    return str(number) if number else ""

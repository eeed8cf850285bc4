"""Figures of predictions for Prometheus: counted here without locks or labels, put into its form when it asks."""

from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (
    0.00001,
    0.000025,
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    1.0,
    5.0,
)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 10_000.0, 100_000.0, 1_000_000.0)
MOST_VERSIONS = 200  # that are told apart; what comes later is `other`
BATCH = "batch"  # the stage whose figure is rows, not seconds


class Histogram:
    """How many fell into each bucket, and their sum. A torn update of two threads costs one count, and nothing else."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Counts a value, as if it had come so many times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def buckets(self) -> list[tuple[str, float]]:
        """What Prometheus wants: for each bound how many were at most that."""
        so_far, told = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            told.append((bound, float(so_far)))
        return told


class PredictionFigures(Collector):
    """Latencies by model, version and stage, batch sizes, and answers by status."""

    def __init__(self) -> None:
        self._stages: dict[tuple[str, int, str], Histogram] = {}
        self._answers: dict[tuple[str, int, int], int] = {}
        self._versions: set[tuple[str, int]] = set()

    def observe(self, name: str, number: int, stage: str, value: float, times: int = 1) -> None:
        """A stage of a prediction took so many seconds; a batch had so many rows."""
        found = self._stages.get((name, number, stage))
        if found is None:
            name, number = self._told_apart(name, number)
            found = self._stages.setdefault((name, number, stage), Histogram(ROWS if stage == BATCH else SECONDS))
        found.observe(value, times)

    def answered(self, name: str, number: int, status: int) -> None:
        """A request was answered; name "" and number 0 where no version was found."""
        key = (name, number, status)
        if key not in self._answers:
            key = (*self._told_apart(name, number), status)
        self._answers[key] = self._answers.get(key, 0) + 1

    def forget(self, gone: Callable[[str, int], bool]) -> None:
        """The figures of versions that have gone go, too, and make room for others."""
        lost = {each for each in list(self._versions) if gone(*each)}
        for stage in [key for key in list(self._stages) if key[:2] in lost]:
            self._stages.pop(stage, None)
        for status in [key for key in list(self._answers) if key[:2] in lost]:
            self._answers.pop(status, None)
        self._versions -= lost

    def versions(self) -> list[tuple[str, int]]:
        """The versions that have been asked, as far as they are told apart."""
        return sorted(self._versions)

    def stage(self, name: str, number: int, stage: str) -> Histogram:
        """What a stage of a version has taken so far."""
        return self._stages.get((name, number, stage)) or Histogram(())

    def answers(self, name: str, number: int) -> dict[int, int]:
        """How many answers a version has given, by status."""
        return {status: count for (*of, status), count in list(self._answers.items()) if of == [name, number]}

    def collect(self) -> Iterator[Metric]:
        """All figures, as the Prometheus client wants them."""
        labels = ["model", "version"]
        seconds = HistogramMetricFamily(
            "modelwright_prediction_seconds", "Seconds that predictions spent in a stage.", labels=[*labels, "stage"]
        )
        rows = HistogramMetricFamily("modelwright_batch_rows", "Rows that shared a forward.", labels=labels)
        for (name, number, stage), each in list(self._stages.items()):
            family, told = (rows, []) if stage == BATCH else (seconds, [stage])
            family.add_metric([name, _text(number), *told], each.buckets(), each.total)
        yield from (seconds, rows)
        answers = CounterMetricFamily(
            "modelwright_predictions", "Prediction requests that were answered.", labels=[*labels, "status"]
        )
        for (name, number, status), count in list(self._answers.items()):
            answers.add_metric([name, _text(number), str(status)], count)
        yield answers

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the client would otherwise collect at once."""
        return iter(())

    def _told_apart(self, name: str, number: int) -> tuple[str, int]:
        if (name, number) not in self._versions and name:
            if len(self._versions) >= MOST_VERSIONS:
                return "other", 0
            self._versions.add((name, number))
        return name, number


def _text(number: int) -> str:
    return str(number) if number else ""

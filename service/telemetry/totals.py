"""The metrics of several processes as those of one service.

Counters and histograms are summed. Gauges get the label `process` instead, since not every sum of them makes sense.
"""

from collections.abc import Iterable, Mapping
from typing import TypedDict

SUMMED = {"counter", "histogram", "gaugehistogram", "summary"}


class MetricFamily(TypedDict):
    """A metric family in the sense of Prometheus, as JSON: its samples have a name, labels and a value each."""

    name: str
    type: str
    about: str
    samples: list[tuple[str, dict[str, str], float]]


def total(by_process: Mapping[str, Iterable[MetricFamily]], gone: Iterable[MetricFamily] = ()) -> list[MetricFamily]:
    """The sum of the metrics of these processes, by name, and of what others counted before they ended."""
    found: dict[str, MetricFamily] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for process, families in ((None, gone), *by_process.items()):
        for family in families:
            name = family["name"]
            kept = found.setdefault(name, {**family, "samples": []})
            if family["type"] not in SUMMED:
                if process is not None:  # one that has ended has no gauges
                    kept["samples"] += [
                        (sample, {**labels, "process": process}, value) for sample, labels, value in family["samples"]
                    ]
                continue
            so_far = sums.setdefault(name, {})
            for sample, labels, value in family["samples"]:
                key = (sample, tuple(labels.items()))
                if sample.endswith("_created"):  # a time: the first
                    so_far[key] = min(so_far.get(key, value), value)
                else:
                    so_far[key] = so_far.get(key, 0.0) + value
    for name, counted in sums.items():
        found[name]["samples"] = [(sample, dict(labels), value) for (sample, labels), value in counted.items()]
    return list(found.values())


def only_summed(families: Iterable[MetricFamily]) -> list[MetricFamily]:
    """The metrics of a process that stay true when it has ended."""
    return [family for family in families if family["type"] in SUMMED]

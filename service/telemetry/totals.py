"""Figures of several processes as those of one service.

A family is what Prometheus calls so: a name, a type, a help text, and samples, each with a name, labels and a value.
Counters and histograms are summed. Whatever else there is (how many wait, how much memory) is told for each process,
with the label `process`, since only who asks knows whether its sum says anything.
"""

from collections.abc import Iterable, Mapping
from typing import TypedDict

SUMMED = {"counter", "histogram", "gaugehistogram", "summary"}


class Family(TypedDict):
    """A family of samples, as JSON has it."""

    name: str
    type: str
    about: str
    samples: list[tuple[str, dict[str, str], float]]


def total(of: Mapping[str, Iterable[Family]], gone: Iterable[Family] = ()) -> list[Family]:
    """The figures of these processes by their names, and what others counted before they ended."""
    found: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for process, families in ((None, gone), *of.items()):
        for family in families:
            name = family["name"]
            kept = found.setdefault(name, {**family, "samples": []})
            if family["type"] not in SUMMED:
                if process is not None:  # of one that has ended nothing is so any more
                    kept["samples"] += [
                        (sample, {**labels, "process": process}, value) for sample, labels, value in family["samples"]
                    ]
                continue
            so_far = sums.setdefault(name, {})
            for sample, labels, value in family["samples"]:
                key = (sample, tuple(labels.items()))
                if sample.endswith("_created"):  # a moment: the first counts
                    so_far[key] = min(so_far.get(key, value), value)
                else:
                    so_far[key] = so_far.get(key, 0.0) + value
    for name, counted in sums.items():
        found[name]["samples"] = [(sample, dict(labels), value) for (sample, labels), value in counted.items()]
    return list(found.values())


def only_summed(families: Iterable[Family]) -> list[Family]:
    """What holds of a process when it has ended."""
    return [family for family in families if family["type"] in SUMMED]

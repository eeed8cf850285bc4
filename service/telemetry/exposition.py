"""Figures between their forms: the Prometheus client's, JSON for other processes, and the text that is read."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from service.telemetry.totals import Family


def families(registry: CollectorRegistry) -> list[Family]:
    """All that is registered there, as it is now."""
    return [
        Family(
            name=metric.name,
            type=metric.type,
            about=metric.documentation,
            samples=[(sample.name, dict(sample.labels), sample.value) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]


def text(of: Iterable[Family]) -> bytes:
    """Prometheus' own text format."""
    registry = CollectorRegistry()
    registry.register(_Told(of))
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, of: Iterable[Family]) -> None:
        self._families = of

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family["name"], family["about"], family["type"])
            metric.samples = [Sample(name, labels, value) for name, labels, value in family["samples"]]
            yield metric

    def describe(self) -> Iterator[Metric]:
        return iter(())

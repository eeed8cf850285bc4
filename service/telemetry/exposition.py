"""Metrics as JSON for other processes, and in the text format of Prometheus."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from service.telemetry.totals import MetricFamily


def families(registry: CollectorRegistry) -> list[MetricFamily]:
    """The current metrics of a registry."""
    return [
        MetricFamily(
            name=metric.name,
            type=metric.type,
            about=metric.documentation,
            samples=[(sample.name, dict(sample.labels), sample.value) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]


def text(of: Iterable[MetricFamily]) -> bytes:
    """Metrics in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Families(of))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, of: Iterable[MetricFamily]) -> None:
        self._families = of

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family["name"], family["about"], family["type"])
            metric.samples = [Sample(name, labels, value) for name, labels, value in family["samples"]]
            yield metric

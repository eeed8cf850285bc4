"""All that is measured, in the one place that Prometheus asks."""

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.registry import Collector

from service.telemetry.jobs import JobFigures
from service.telemetry.requests import RequestFigures


class Metrics:
    """The figures of requests, of jobs and of the process; others join them with `add`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody reads
        self._registry = CollectorRegistry()
        self.requests = RequestFigures(self._registry)
        self.jobs = JobFigures(self._registry)
        ProcessCollector(registry=self._registry)

    def add(self, collector: Collector) -> None:
        """More figures."""
        self._registry.register(collector)

    def text(self) -> bytes:
        """All of it, in Prometheus' own text format. May wait for the journal and the disk."""
        return generate_latest(self._registry)

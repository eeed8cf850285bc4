"""The registry of a process's metrics."""

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.registry import Collector

from service.telemetry.jobs import JobFigures
from service.telemetry.predictions import PredictionFigures
from service.telemetry.requests import RequestFigures


class ProcessMetrics:
    """The metrics of jobs and of the process itself; others are added with `add`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which is of no use
        self.registry = CollectorRegistry()
        self.jobs = JobFigures(self.registry)
        ProcessCollector(registry=self.registry)

    def add(self, collector: Collector) -> None:
        """Registers more metrics."""
        self.registry.register(collector)


class Metrics(ProcessMetrics):
    """The same, and metrics of requests, for a process that answers them."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = RequestFigures(self.registry)
        self.predictions = PredictionFigures()
        self.add(self.predictions)

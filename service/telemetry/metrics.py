"""What a process measures, in the one place where it is asked for."""

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.registry import Collector

from service.telemetry.jobs import JobFigures
from service.telemetry.predictions import PredictionFigures
from service.telemetry.requests import RequestFigures


class Counted:
    """The figures of jobs and of the process itself; others join them with `add`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody reads
        self.registry = CollectorRegistry()
        self.jobs = JobFigures(self.registry)
        ProcessCollector(registry=self.registry)

    def add(self, collector: Collector) -> None:
        """More figures."""
        self.registry.register(collector)


class Metrics(Counted):
    """The same of a process that answers: its figures of requests and predictions, too."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = RequestFigures(self.registry)
        self.predictions = PredictionFigures()
        self.add(self.predictions)

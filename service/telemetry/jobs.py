"""Metrics of jobs: how they went in this service, and how many there are in the journal."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.jobs.errors import JobsError
from service.jobs.job import Job, Status

SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
STAGE_SECONDS = (0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0, 86_400.0)
KEPT = 1.0  # seconds for which counts of the journal are cached


class JobFigures:
    """Counters and histograms of the jobs of this service. Called by the journal after commits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        about = "Attempts at trainings that ended, by how."
        self._attempts = Counter("modelwright_attempts_total", about, ["end"], registry=registry)
        about = "Seconds that jobs waited for their first attempt."
        self._waited = Histogram("modelwright_job_queue_seconds", about, buckets=SECONDS, registry=registry)
        about = "Seconds from a job's submission to its end."
        self._took = Histogram("modelwright_job_seconds", about, ["status"], buckets=SECONDS, registry=registry)
        name, about = "modelwright_training_stage_seconds", "Seconds that attempts spent in a stage of their training."
        self._stages = Histogram(name, about, ["stage"], buckets=STAGE_SECONDS, registry=registry)

    def moved(self, job: Job, end: str | None) -> None:
        """A job's status has changed; `end` is how its attempt ended, if one did."""
        if end is not None:
            self._attempts.labels(end).inc()
        elif job.status is Status.RUNNING and job.attempt == 1:
            self._waited.observe(_between(job.created_at, job.started_at))
        if job.final:
            self._took.labels(job.status).observe(_between(job.created_at, job.finished_at))

    def stage(self, job: Job, name: str, began: float, ended: float) -> None:
        """An attempt has left a stage of its work, which lasted between these two Unix times."""
        self._stages.labels(name).observe(ended - began)


class JournalFigures(Collector):
    """How many jobs the journal has.

    Args:
        count: queries the journal.
    """

    def __init__(self, count: Callable[[], Mapping[Status, int]]) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._counted = -KEPT
        self._known: Mapping[Status, int] | None = None

    def collect(self) -> Iterator[Metric]:
        """The gauges; without those of jobs while the journal cannot be read."""
        known = self._counts()
        yield GaugeMetricFamily("modelwright_journal_up", "Whether the journal can be read.", float(known is not None))
        jobs = GaugeMetricFamily("modelwright_jobs", "Jobs in the journal, by status.", labels=["status"])
        for status in Status if known is not None else ():
            jobs.add_metric([status], (known or {}).get(status, 0))
        yield jobs

    def _counts(self) -> Mapping[Status, int] | None:
        with self._lock:  # one query for several scrapes at once
            if time.monotonic() - self._counted >= KEPT:
                try:
                    self._known = self._count()
                except JobsError:
                    self._known = None
                self._counted = time.monotonic()
            return self._known


def _between(began: str, ended: str | None) -> float:
    """Seconds between two times of the journal; 0 if the clock was set back or one of them is damaged."""
    if ended is None:
        return 0.0
    try:
        return max(0.0, (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
    except (ValueError, TypeError):  # TypeError: one of them has lost its zone
        return 0.0

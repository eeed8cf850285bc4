"""Metrics of requests other than predictions."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}
OTHER = "other"  # the label of every method and path that the service does not know
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class RequestFigures:
    """Labels are method, route template and status: clients cannot create new labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels, about = ["method", "route"], "Requests that were answered, predictions left aside."
        self._answered = Counter("modelwright_http_requests_total", about, [*labels, "status"], registry=registry)
        name, about = (
            "modelwright_http_request_seconds",
            "Seconds until the answer to a request began, predictions left aside.",
        )
        self._seconds = Histogram(name, about, labels, buckets=SECONDS, registry=registry)
        self.streams = Gauge("modelwright_event_streams", "Event streams that are open.", registry=registry)

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """A request was answered; its answer began after so many seconds."""
        labels = (method if method in METHODS else OTHER, route or OTHER)
        self._answered.labels(*labels, str(status)).inc()
        self._seconds.labels(*labels).observe(seconds)

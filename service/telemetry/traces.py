"""Traces by OpenTelemetry: HTTP → job → attempt → stages, in one trace.

Only the service exports spans. Attempts report how long their stages took, and the journal has the times of attempts and
jobs, so that trainers need no exporter and no thread. The ids of the spans of jobs and attempts are derived from the job's id
and the attempt's number: any service that sees an end can export the span.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service import __version__
from service.jobs.job import AttemptRecord, Job
from service.jobs.job import Status as JobStatus

TRACEPARENT = "traceparent"
CARRIED = (b"traceparent", b"tracestate")
LONGEST = 1000  # characters of a path
PATIENCE = 2.0  # seconds that a stop of the service waits for the last spans to be sent
Attributes = dict[str, str | int | float]

log = logging.getLogger(__name__)


class Traces:
    """Creates spans. The SDK queues them, drops those beyond its limit, and sends them in a thread.

    Args:
        attempts: queries the journal for the attempts at a job.
    """

    def __init__(self, attempts: Callable[[str], list[AttemptRecord]]) -> None:
        self._attempts = attempts
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # an unavailable collector is logged once, below
        self._processor = BatchSpanProcessor(_Quiet(OTLPSpanExporter()))
        ours = Resource.create({SERVICE_NAME: "modelwright", SERVICE_VERSION: __version__})
        resource = ours.merge(OTELResourceDetector().detect())  # the environment takes precedence
        provider = TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("modelwright", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Sends the last spans, if the collector takes them in time."""
        sending = threading.Thread(target=self._processor.shutdown, daemon=True)
        sending.start()
        sending.join(PATIENCE)

    # Requests

    @contextmanager
    def request(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], scheme: str = "http"
    ) -> Iterator[Span]:
        """The span of a request, in the trace of its client if it has one."""
        carrier = {name.decode(): value.decode("latin-1") for name, value in headers if name in CARRIED}
        about: Attributes = {"http.request.method": method, "url.path": path[:LONGEST], "url.scheme": scheme}
        with self._tracer.start_as_current_span(
            method,
            self._propagator.extract(carrier, Context()),
            kind=SpanKind.SERVER,
            attributes=about,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span

    def answered(self, span: Span, method: str, route: str | None, status: int, job_id: str | None = None) -> None:
        """Adds the response to a request's span."""
        span.set_attribute("http.response.status_code", status)
        if route is not None:
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)
        if job_id is not None:
            span.set_attribute("modelwright.job.id", job_id)
        if status >= 500:
            span.set_status(StatusCode.ERROR)

    def stage_of_prediction(self, span: Span, stage: str, seconds: float) -> None:
        """A stage of the prediction that this span is of."""
        if span.is_recording():
            span.set_attribute(f"modelwright.prediction.{stage}_seconds", seconds)

    def traceparent(self, span: Span) -> str:
        """A span's `traceparent` header, by W3C Trace Context."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, trace.set_span_in_context(span, Context()))
        return carrier[TRACEPARENT]

    @staticmethod
    def trace_id(span: Span) -> str:
        """The id of a span's trace."""
        return trace.format_trace_id(span.get_span_context().trace_id)

    # Jobs

    def moved(self, job: Job, end: str | None) -> None:
        """A job's status has changed; `end` is how its attempt ended, if one did. Exports the spans of what has ended."""
        try:
            if end is not None:
                self._attempt(job, end)
            if job.final:
                self._job(job)
        except Exception:
            log.exception("the trace of job %s has a hole", job.id, extra={"job_id": job.id})

    def stage(self, job: Job, name: str, began: float, ended: float) -> None:
        """Exports the span of a stage between two Unix times."""
        above = self._under(job, _id(job.id, job.attempt))
        self._span(name, above, {"modelwright.job.id": job.id}, int(began * 1e9), int(ended * 1e9))

    def _attempt(self, job: Job, end: str) -> None:
        attempt = next(each for each in self._attempts(job.id) if each.number == job.attempt)
        about: Attributes = {"modelwright.job.id": job.id, "modelwright.attempt": attempt.number}
        about["modelwright.attempt.end"] = end
        failed = None if end in (JobStatus.SUCCEEDED, JobStatus.CANCELLED, JobStatus.PAUSED, "stopped") else end
        moments = _ns(attempt.started_at), _ns(attempt.ended_at or attempt.started_at)
        self._span("attempt", self._under(job, _id(job.id)), about, *moments, _id(job.id, attempt.number), failed)

    def _job(self, job: Job) -> None:
        about: Attributes = {"modelwright.job.id": job.id, "modelwright.model.name": job.model_name}
        about |= {"modelwright.job.status": job.status, "modelwright.job.attempts": job.attempt}
        failed = (job.error or {}).get("code", "failed") if job.status is JobStatus.FAILED else None
        moments = _ns(job.created_at), _ns(job.finished_at or job.created_at)
        self._span("job", self._under(job), about, *moments, _id(job.id), failed)

    def _under(self, job: Job, span_id: int | None = None) -> Context | None:
        """The parent of a span of this job: the request that created it, or one of its own spans. None without a trace."""
        context = self._propagator.extract({TRACEPARENT: job.context.get(TRACEPARENT, "")}, Context())
        made_by = trace.get_current_span(context).get_span_context()
        if not made_by.is_valid:
            return None
        if span_id is None:
            return context
        own = SpanContext(made_by.trace_id, span_id, is_remote=True, trace_flags=made_by.trace_flags)
        return trace.set_span_in_context(NonRecordingSpan(own), Context())

    def _span(
        self,
        name: str,
        above: Context | None,
        about: Attributes,
        began: int,
        ended: int,
        span_id: int | None = None,
        failed: str | None = None,
    ) -> None:
        """Exports a span of the past."""
        if above is None:
            return
        token = _chosen.set(span_id)
        try:
            span = self._tracer.start_span(name, above, attributes=about, start_time=began)
        finally:
            _chosen.reset(token)
        if failed is not None:
            span.set_status(Status(StatusCode.ERROR, failed))
        span.end(ended)


class _Ids(RandomIdGenerator):
    """Random ids, except for spans whose id is set."""

    def generate_span_id(self) -> int:
        return _chosen.get() or super().generate_span_id()


class _Quiet(SpanExporter):
    """Logs once when the collector becomes unavailable, and once when it is back."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            log.warning("the collector does not accept traces; they are dropped until it does")
        elif self._away and not away:
            log.info("the collector accepts traces again")
        self._away = away
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


_chosen: ContextVar[int | None] = ContextVar("chosen", default=None)


def _id(job_id: str, attempt: int | None = None) -> int:
    """The id of the span of a job, or of one of its attempts."""
    return int.from_bytes(hashlib.sha256(f"{job_id}/{attempt or ''}".encode()).digest()[:8]) or 1


def _ns(moment: str) -> int:
    """A time of the journal in nanoseconds since 1970."""
    return round(datetime.fromisoformat(moment).timestamp() * 1e6) * 1000

"""Whether there are traces: only where OpenTelemetry's own variables ask for them, and the extra `otel` is installed."""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from service.jobs.job import AttemptRecord

if TYPE_CHECKING:
    from service.telemetry.traces import Traces

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = "http/protobuf"

log = logging.getLogger(__name__)


def open_traces(attempts: Callable[[str], list[AttemptRecord]]) -> "Traces | None":
    """The traces, or nothing at all: then nothing of OpenTelemetry is even imported. `attempts` asks the journal for those
    at a job."""
    asked = {name: os.environ.get(name, "").strip() for name in (*ENDPOINTS, *PROTOCOLS)}
    endpoint = asked[ENDPOINTS[0]] or asked[ENDPOINTS[1]]
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not endpoint or disabled or os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    protocol = asked[PROTOCOLS[0]] or asked[PROTOCOLS[1]] or SPOKEN
    if protocol != SPOKEN:
        log.warning("traces are sent by %s, not by %s: nothing else is spoken here", SPOKEN, protocol)
    try:
        from service.telemetry.traces import Traces
    except ImportError:
        log.warning('there are no traces: they need the extra otel, pip install "modelwright[otel]"')
        return None
    return Traces(attempts)

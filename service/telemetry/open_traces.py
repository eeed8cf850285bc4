"""Starts tracing if OpenTelemetry's own variables are set and the extra `otel` is installed."""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from service.jobs.job import AttemptRecord

if TYPE_CHECKING:
    from service.telemetry.traces import Traces

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SUPPORTED = "http/protobuf"

log = logging.getLogger(__name__)


def open_traces(attempts: Callable[[str], list[AttemptRecord]]) -> "Traces | None":
    """The traces, or None: then OpenTelemetry is not even imported. `attempts` queries the journal for those at a job."""
    variables = {name: os.environ.get(name, "").strip() for name in (*ENDPOINTS, *PROTOCOLS)}
    endpoint = variables[ENDPOINTS[0]] or variables[ENDPOINTS[1]]
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not endpoint or disabled or os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    protocol = variables[PROTOCOLS[0]] or variables[PROTOCOLS[1]] or SUPPORTED
    if protocol != SUPPORTED:
        log.warning("traces are sent by %s; %s is not supported", SUPPORTED, protocol)
    try:
        from service.telemetry.traces import Traces
    except ImportError:
        log.warning('there are no traces: they need the extra otel, pip install "modelwright[otel]"')
        return None
    return Traces(attempts)

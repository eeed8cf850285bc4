"""The format of all log records, also those of libraries: a JSON object a line, or text at a terminal."""

import io
import json
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor

from service.telemetry.request import REQUEST_ID

FIRST = ("timestamp", "level", "logger", "event")
# The names of `extra` that are logged; those of libraries are not.
EXTRA = ("request_id", "trace_id", "job_id", "method", "path", "status", "seconds", "client", "key", "left_out")

log = logging.getLogger(__name__)


def configure(level: str, form: str | None = None) -> None:
    """Sends every record of this level and above to stderr. Called once, by each process of the service.

    Args:
        level: the lowest level that is logged.
        form: `json`, `console` for people, or None for people if stderr is a terminal.
    """
    people = for_people(form)
    shared: list[Processor] = [
        merge_contextvars,
        _of_request,
        add_log_level,
        add_logger_name,
        ExtraAdder(EXTRA),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.TimeStamper(*(("%H:%M:%S", False) if people else ("iso", True))),
    ]
    handler = logging.StreamHandler(_own_stderr())
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[ProcessorFormatter.remove_processors_meta, *_render(people=people)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def for_people(form: str | None) -> bool:
    """Whether log lines of this form are text for people."""
    return sys.stderr.isatty() if form is None else form == "console"


def _own_stderr() -> TextIO:
    """Standard error by a descriptor of its own: descriptor 2 is redirected while native code runs that prints to it."""
    if sys.stderr is not sys.__stderr__:  # replaced, by a test or a notebook
        return sys.stderr
    return io.TextIOWrapper(io.FileIO(os.dup(2), "w"), "utf-8", errors="backslashreplace", line_buffering=True)


def begin(trace_id: str | None) -> None:
    """Begins a request: its log lines have its trace id, if any, and nothing of the request before."""
    clear_contextvars()
    if trace_id is not None:
        bind_contextvars(trace_id=trace_id)


def _of_request(logger: Any, method: str, event: EventDict) -> EventDict:
    """Adds the id of the request that is being handled."""
    if request_id := REQUEST_ID.get():
        event["request_id"] = request_id
    return event


def _render(*, people: bool) -> list[Processor]:
    if people:
        # Not the tracebacks of rich: they show the values of variables, some of which are secrets.
        # Colours are of no use in a file, nor to whoever has turned them off (no-color.org).
        colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]
    as_json = structlog.processors.JSONRenderer(serializer=json.dumps, separators=(",", ":"))
    return [structlog.processors.format_exc_info, _in_order, as_json]


def _in_order(logger: Any, method: str, event: EventDict) -> EventDict:
    """Puts the keys that all lines have first."""
    return {**{name: event[name] for name in FIRST}, **event}


def _uncaught(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt) or error is None:
        sys.__excepthook__(kind, error or kind(), where)
    else:
        log.critical("uncaught exception", exc_info=(kind, error, where))

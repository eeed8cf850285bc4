"""The access log: a line for each response."""

import logging
import time
from collections import defaultdict

from starlette.types import Scope

MOST_PATH_CHARACTERS = 200  # characters of a path
OVERLOADED = 429
INTERVAL = 1.0  # seconds between lines of a rate-limited kind: under overload, each line takes time from other requests
# Keys in the `state` of an ASGI scope that are added to the line.
CONTEXT_FIELDS = ("request_id", "key", "job_id")

log = logging.getLogger(__name__)


class _RateLimit:
    """Limits the lines of one kind to one per `INTERVAL`, and counts those that were left out since the last."""

    def __init__(self) -> None:
        self.written = -INTERVAL
        self.left_out = 0

    def drops_line(self) -> bool:
        """Returns whether to leave out one more line."""
        now = time.monotonic()
        if now - self.written < INTERVAL:
            self.left_out += 1
            return True
        self.written = now
        return False


_overloaded, _refused_connections = _RateLimit(), defaultdict[int, _RateLimit](_RateLimit)


def write(scope: Scope, status: int, seconds: float) -> None:
    """Writes the line of a request that took so many seconds. The query and headers are left out: they may hold secrets. 429
    responses have one line per second, with the number of lines left out before it."""
    _write(scope, status, seconds, _overloaded if status == OVERLOADED else None)


def write_refused_connection(method: str, path: str, status: int) -> None:
    """Writes the line of a connection that was refused before its request was complete; method and path are `-` if they are not
    known. Each status has one line per second."""
    _write({"method": method, "path": path}, status, 0.0, _refused_connections[status])


def _write(scope: Scope, status: int, seconds: float, limit: _RateLimit | None) -> None:
    if not log.isEnabledFor(logging.INFO) or (limit is not None and limit.drops_line()):
        return
    state = scope.get("state", {})
    about = {name: state[name] for name in CONTEXT_FIELDS if state.get(name) is not None}
    about |= {"method": scope["method"], "path": _shown(scope["path"]), "status": status}
    if scope.get("client"):
        about["client"] = scope["client"][0]
    about["seconds"] = round(seconds, 6)
    if limit is not None:
        about["left_out"], limit.left_out = limit.left_out, 0
    log.info("%s %s %d", about["method"], about["path"], status, extra=about)


def _shown(path: str) -> str:
    """The path, shortened, with unprintable characters replaced: it must not break the line."""
    text = path if len(path) <= MOST_PATH_CHARACTERS else path[:MOST_PATH_CHARACTERS] + "…"
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)

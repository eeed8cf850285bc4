"""The access log: a line for each request that was answered."""

import logging
import time
from collections import defaultdict

from starlette.types import Scope

MOST_PATH_CHARACTERS = 200  # characters of a path
OVERLOADED = 429
INTERVAL = 1.0  # seconds between lines of a kind that may come in floods: each would take from those who are served
# Who asked, as the edge has found it out: names under the `state` of a request's scope.
CONTEXT_FIELDS = ("request_id", "key", "job_id")

log = logging.getLogger(__name__)


class _RateLimit:
    """When a line of a kind was last written, and how many have been left out since."""

    def __init__(self) -> None:
        self.written = -INTERVAL
        self.left_out = 0

    def drops_line(self) -> bool:
        """Whether one more line is left out."""
        now = time.monotonic()
        if now - self.written < INTERVAL:
            self.left_out += 1
            return True
        self.written = now
        return False


_overloaded, _refused_connections = _RateLimit(), defaultdict[int, _RateLimit](_RateLimit)


def write(scope: Scope, status: int, seconds: float) -> None:
    """The line of one request. Neither its query nor its headers are in it: they may hold what is nobody's business.
    Of those that are refused because there is no room, one a second has a line, with how many had none before it."""
    _write(scope, status, seconds, _overloaded if status == OVERLOADED else None)


def write_refused_connection(method: str, path: str, status: int) -> None:
    """The line of a connection that was ended with this answer: what it asked is known in part at most. One a second has a
    line, of each status."""
    _write({"method": method, "path": path}, status, 0.0, _refused_connections[status])


def _write(scope: Scope, status: int, seconds: float, limit: _RateLimit | None) -> None:
    if not log.isEnabledFor(logging.INFO) or (limit is not None and limit.drops_line()):
        return
    state = scope.get("state", {})
    about = {name: state[name] for name in CONTEXT_FIELDS if state.get(name) is not None}
    about |= {"method": scope["method"], "path": _shown(scope["path"]), "status": status}
    about["seconds"] = round(seconds, 6)
    if limit is not None:
        about["left_out"], limit.left_out = limit.left_out, 0
    log.info("%s %s %d", about["method"], about["path"], status, extra=about)


def _shown(path: str) -> str:
    """A path on one line, whatever its client has put into it."""
    text = path if len(path) <= MOST_PATH_CHARACTERS else path[:MOST_PATH_CHARACTERS] + "…"
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)

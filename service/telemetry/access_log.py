"""The access log: a line for each request that was answered."""

import logging
import time
from collections import defaultdict

from starlette.types import Scope

LONGEST = 200  # characters of a path
OVERLOADED = 429
BETWEEN = 1.0  # seconds between lines of a kind that may come in floods: each would take from those who are served
# Who asked, as the edge has found it out: names under the `state` of a request's scope.
ABOUT = ("request_id", "key", "job_id")

log = logging.getLogger(__name__)


class _Flood:
    """When a line of a kind was last written, and how many have been left out since."""

    def __init__(self) -> None:
        self.told = -BETWEEN
        self.left_out = 0

    def goes_on(self) -> bool:
        """Whether one more line is left out."""
        now = time.monotonic()
        if now - self.told < BETWEEN:
            self.left_out += 1
            return True
        self.told = now
        return False


_no_room, _turned_away = _Flood(), defaultdict[int, _Flood](_Flood)


def write(scope: Scope, status: int, seconds: float) -> None:
    """The line of one request. Neither its query nor its headers are in it: they may hold what is nobody's business.
    Of those that are refused because there is no room, one a second has a line, with how many had none before it."""
    _write(scope, status, seconds, _no_room if status == OVERLOADED else None)


def turned_away(method: str, path: str, status: int) -> None:
    """The line of a connection that was ended with this answer: what it asked is known in part at most. One a second has a
    line, of each status."""
    _write({"method": method, "path": path}, status, 0.0, _turned_away[status])


def _write(scope: Scope, status: int, seconds: float, flood: _Flood | None) -> None:
    if not log.isEnabledFor(logging.INFO) or (flood is not None and flood.goes_on()):
        return
    state = scope.get("state", {})
    about = {name: state[name] for name in ABOUT if state.get(name) is not None}
    about |= {"method": scope["method"], "path": _shown(scope["path"]), "status": status}
    about["seconds"] = round(seconds, 6)
    if flood is not None:
        about["left_out"], flood.left_out = flood.left_out, 0
    log.info("%s %s %d", about["method"], about["path"], status, extra=about)


def _shown(path: str) -> str:
    """A path on one line, whatever its client has put into it."""
    text = path if len(path) <= LONGEST else path[:LONGEST] + "…"
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)

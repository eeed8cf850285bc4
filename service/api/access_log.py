"""The access log: a line for each request that was answered."""

import logging
import time

from starlette.types import Scope

LONGEST = 200  # characters of a path
OVERLOADED = 429
BETWEEN_OVERLOADED = 1.0  # seconds: one line for each refusal would take from those who are served
# Who asked, as the edge has found it out: names under the `state` of a request's scope.
ABOUT = ("request_id", "key", "job_id")

log = logging.getLogger(__name__)


class _Overload:
    """When a refusal for want of room was last told of, and how many have not been since."""

    told = 0.0
    left_out = 0


def write(scope: Scope, status: int, seconds: float) -> None:
    """The line of one request. Neither its query nor its headers are in it: they may hold what is nobody's business.
    Of those that are refused because there is no room, one a second has a line, with how many had none before it."""
    if status == OVERLOADED:
        if time.monotonic() - _Overload.told < BETWEEN_OVERLOADED:
            _Overload.left_out += 1
            return
        _Overload.told = time.monotonic()
    if log.isEnabledFor(logging.INFO):
        state = scope.get("state", {})
        about = {name: state[name] for name in ABOUT if state.get(name) is not None}
        about |= {"method": scope["method"], "path": _shown(scope["path"]), "status": status}
        about["seconds"] = round(seconds, 6)
        if status == OVERLOADED:
            about["left_out"], _Overload.left_out = _Overload.left_out, 0
        log.info("%s %s %d", about["method"], about["path"], status, extra=about)


def _shown(path: str) -> str:
    """A path on one line, whatever its client has put into it."""
    text = path if len(path) <= LONGEST else path[:LONGEST] + "…"
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)

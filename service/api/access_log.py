"""The access log: a line for each request that was answered."""

import logging

from starlette.types import Scope

LONGEST = 200  # characters of a path
# Who asked, as the edge has found it out: names under the `state` of a request's scope.
ABOUT = ("request_id", "key", "job_id")

log = logging.getLogger(__name__)


def write(scope: Scope, status: int, seconds: float) -> None:
    """The line of one request. Neither its query nor its headers are in it: they may hold what is nobody's business."""
    if log.isEnabledFor(logging.INFO):
        state = scope.get("state", {})
        about = {name: state[name] for name in ABOUT if state.get(name) is not None}
        about |= {"method": scope["method"], "path": _shown(scope["path"]), "status": status}
        about["seconds"] = round(seconds, 6)
        log.info("%s %s %d", about["method"], about["path"], status, extra=about)


def _shown(path: str) -> str:
    """A path on one line, whatever its client has put into it."""
    text = path if len(path) <= LONGEST else path[:LONGEST] + "…"
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)

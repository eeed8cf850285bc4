"""Work whose client has left: it ends at its next step."""

import threading
from contextvars import ContextVar


class Cancelled(Exception):
    """Nobody waits for this any more."""


CLIENT_LEFT: ContextVar[threading.Event | None] = ContextVar("client_left", default=None)


def check_cancelled() -> None:
    """Between two steps of something that takes long.

    Raises:
        Cancelled: the client of this request has left.
    """
    left = CLIENT_LEFT.get()
    if left is not None and left.is_set():
        raise Cancelled

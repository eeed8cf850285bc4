"""Cancellation of work in threads, between its steps, once its client has disconnected."""

import threading
from contextvars import ContextVar


class Cancelled(Exception):
    """The client has disconnected."""


CLIENT_LEFT: ContextVar[threading.Event | None] = ContextVar("client_left", default=None)


def check_cancelled() -> None:
    """Called between two steps of long work.

    Raises:
        Cancelled: the client of this request has disconnected.
    """
    left = CLIENT_LEFT.get()
    if left is not None and left.is_set():
        raise Cancelled

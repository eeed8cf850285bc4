"""Requests to an object store: repeated for some seconds while it fails, then refused at once until it works again."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from model_store.backends.object_errors import ERRORS, failure
from model_store.errors import StoreError, Unavailable

PATIENCE = 6.0  # seconds for which a request is repeated
PAUSE = 0.1  # seconds before it is repeated the first time; twice as long each time
MOST_PAUSE = 1.0
REST = 1.0  # seconds for which requests are refused after one has failed for good

T = TypeVar("T")


class ObjectRequests:
    """Runs the requests to one store, from any thread.

    When one has failed for `PATIENCE` seconds the store is out of order: others that are being repeated end, and new ones are
    refused without being sent, but for one every `REST` seconds. So no thread waits for a store that is known to be away, and its
    return is noticed within about a second (a circuit breaker: Nygard, "Release It!").
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._broken: StoreError | None = None  # why the store is out of order
        self._next_try = 0.0
        self._trying = False

    def run(self, doing: str, request: Callable[[], T], *, repeat: bool = True) -> T:
        """The result of `request`, which is called again after failures that may pass.

        Args:
            doing: `read`, `list`, `write` or `delete`, for messages.
            request: raises what obstore raises.
            repeat: False where obstore itself repeats the parts of the request.

        Raises:
            ObjectNotFound, ObjectExists: the store's answer.
            Unavailable: the store cannot be used, or refuses access.
        """
        self._begin()
        deadline, pause = self._clock() + PATIENCE, PAUSE
        while True:
            try:
                result = request()
            except ERRORS as error:
                failed = failure(error, doing)
            except BaseException:
                self._works()
                raise
            else:
                self._works()
                return result
            # Raised out here: obstore's error, whose text may have a credential, is then no context of ours.
            if not failed.transient:
                self._works()
                raise failed.error
            if not repeat or self._clock() + pause >= deadline or self._is_broken():
                self._fails(failed.error)
                raise failed.error
            self._sleep(pause)
            pause = min(2 * pause, MOST_PAUSE)

    def _begin(self) -> None:
        with self._lock:
            if self._broken is None:
                return
            if self._trying or self._clock() < self._next_try:
                raise Unavailable(str(self._broken))
            self._trying = True

    def _is_broken(self) -> bool:
        with self._lock:
            return self._broken is not None

    def _works(self) -> None:
        with self._lock:
            self._broken, self._trying = None, False

    def _fails(self, why: StoreError) -> None:
        with self._lock:
            self._broken, self._trying, self._next_try = why, False, self._clock() + REST

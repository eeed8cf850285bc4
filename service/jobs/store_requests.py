"""What attempts request of the store. The service does it for them, so that no attempt has access to the store."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from service.jobs.errors import SOFTWARE_ERROR, AttemptFailed, AttemptPutOff
from service.jobs.job import Job
from service.jobs.running_attempt import RunningAttempt

Answer = dict[str, Any]  # as `AttemptChannel` describes it
Summaries = Mapping[str, Mapping[str, Any]]  # by name, the JSON that is kept beside a version's files
log = logging.getLogger(__name__)


class AttemptStore(Protocol):
    """The store as attempts need it. Called in a thread for each request; both raise AttemptFailed and AttemptPutOff."""

    def fetch(self, job: Job, files: ExitStack) -> dict[str, Any]:
        """What the job reads, as JSON with paths of local files that stay until `files` is closed; `published`, the job's
        result, if an attempt before has published it."""

    def publish(
        self, job: Job, manifest: Mapping[str, Any], files: Mapping[str, Path], summaries: Summaries
    ) -> dict[str, Any]:
        """Publishes the job's version, once however often it is called; the job's result."""


class StoreRequests:
    """The requests of the attempts of one runner: one thread each while it lasts.

    Args:
        store: does what they request.
        answered: called from a thread when `answers` has something new.
    """

    def __init__(self, store: AttemptStore, answered: Callable[[], None]) -> None:
        self._store = store
        self._answered = answered
        self._answers: SimpleQueue[tuple[RunningAttempt, Answer]] = SimpleQueue()

    def fetch(self, running: RunningAttempt) -> None:
        """Begins to fetch what the attempt's job reads."""
        self._begin(running, lambda: self._store.fetch(running.job, running.files))

    def publish(self, running: RunningAttempt, request: dict[str, Any]) -> None:
        """Begins to publish the attempt's files. They must stay until the answer."""
        running.publishing = True
        files = {name: running.handle.local_file(name) for name in request["files"]}
        self._begin(running, lambda: self._store.publish(running.job, request["manifest"], files, request["summaries"]))

    def answers(self) -> list[tuple[RunningAttempt, Answer]]:
        """The answers that were not returned before."""
        answers = []
        try:
            while True:
                answers.append(self._answers.get_nowait())
        except Empty:
            return answers

    def _begin(self, running: RunningAttempt, do: Callable[[], dict[str, Any]]) -> None:
        running.requesting = True

        def answer() -> None:
            self._answers.put((running, _answer(running.job, do)))
            self._answered()

        try:  # a daemon: the end of the service does not wait for a store that hangs, and a publish is all or nothing
            threading.Thread(target=answer, name="store request", daemon=True).start()
        except RuntimeError:
            reason = {"code": "unavailable", "detail": "no thread could be started"}
            self._answers.put((running, {"put_off": reason, "unpublished": True}))


def _answer(job: Job, do: Callable[[], dict[str, Any]]) -> Answer:
    try:
        return {"answer": do()}
    except AttemptFailed as error:
        return {"failed": {"code": error.code, "detail": error.detail}}
    except AttemptPutOff as error:
        return {"put_off": {"code": error.code, "detail": error.detail}, "unpublished": error.unpublished}
    except Exception:
        log.exception("a request of job %s failed", job.id, extra={"job_id": job.id})
        return {"failed": SOFTWARE_ERROR}

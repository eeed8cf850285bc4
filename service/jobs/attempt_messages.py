"""Writes what attempts report, and how they end, into the journal. The messages are described in `attempt.py`."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from service.jobs.errors import AttemptSuperseded
from service.jobs.job import Job, Status
from service.jobs.job_queue import JobQueue
from service.jobs.running_attempt import RunningAttempt
from service.jobs.store_requests import StoreRequests

log = logging.getLogger(__name__)


def record_messages(
    queue: JobQueue, running: RunningAttempt, messages: Sequence[dict[str, Any]], requests: StoreRequests
) -> None:
    """Records messages of an attempt in one transaction, and begins what it requests after the commit.

    Raises:
        AttemptSuperseded: the job is no longer this attempt's; nothing was written.
        JournalUnavailable: try again with the same messages.
    """
    begin: list[Callable[[], None]] = []
    with queue.together():
        for message in messages:
            if "fetch" not in message and "publish" not in message:
                _record(queue, running, message)
            elif running.handle.exit is not None:
                pass  # it does not wait for the answer any more
            elif "fetch" in message:
                begin.append(partial(requests.fetch, running))
            elif not running.killed and queue.may_publish(running.job):
                begin.append(partial(requests.publish, running, message["publish"]))
            else:
                begin.append(partial(running.handle.answer, {"superseded": True}))
    for each in begin:
        each()


def _record(queue: JobQueue, running: RunningAttempt, message: dict[str, Any]) -> None:
    if "series" in message:
        series = message["series"]
        latest = {name: values[-1] for name, values in series.items() if name != "epoch"}
        queue.record(running.job, progress=message["progress"], latest=latest, epochs=series)
    elif "message" in message:
        queue.message(running.job, message["message"])
    elif "stage" in message:
        queue.went_through(running.job, message["stage"], message["began"], message["ended"])
    elif "saved" in message:
        queue.saved(running.job, message["saved"])
    elif "left" in message:
        running.left = True
    elif "put_off" in message:
        running.put_off, running.unpublished = message["put_off"], message["unpublished"]
    else:
        running.result = message.get("result", running.result)  # what is published stays the result after an error
        running.error = message.get("error")


def conclude(queue: JobQueue, running: RunningAttempt) -> Job:
    """Moves the job of an attempt that has ended on.

    Raises:
        AttemptSuperseded: the job is no longer this attempt's.
        JournalUnavailable: try again.
    """
    job, exit_ = running.job, running.handle.exit
    assert exit_ is not None  # noqa: S101 - it has ended
    if running.result is not None:
        return queue.finish(job, Status.SUCCEEDED, result=running.result)
    if running.error is not None:
        return queue.finish(job, Status.FAILED, error=running.error)
    if running.put_off is not None:
        return queue.put_off(job, running.put_off, unpublished=running.unpublished)
    if running.left:
        detail = "the attempt was asked to leave, and saved where it stood"
        return queue.finish(job, Status.QUEUED, error=stopped(detail))
    if exit_.reason == "fenced":
        return queue.fence(job, "the service could not say in time that it lives, and ended the attempt")
    if exit_.reason == "lost" and not job.suspect:  # a suspect runs alone: no other attempt can have caused it
        return queue.orphan(job, "the trainer server ended, and the attempt with it")
    return queue.crash(job, f"the trainer process ended unexpectedly ({exit_.detail})")


def stopped(detail: str) -> dict[str, Any]:
    """The cause of an attempt that was ended before its time without an error."""
    return {"code": "stopped", "detail": detail}


def give_back(queue: JobQueue, job: Job, detail: str) -> None:
    """Puts a job whose attempt could not be started back into the queue."""
    log.warning("job %s goes back into the queue: %s", job.id, detail, extra={"job_id": job.id})
    with contextlib.suppress(AttemptSuperseded):
        queue.finish(job, Status.QUEUED, error={"code": "crashed", "detail": detail})

"""What attempts say, and how they end, written into the journal."""

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from service.jobs.errors import AttemptSuperseded
from service.jobs.job import Job, Status
from service.jobs.job_queue import Dispatch
from service.jobs.running_attempt import Running
from service.jobs.trainer_server import FENCED

log = logging.getLogger(__name__)


def write_down(dispatch: Dispatch, running: Running, messages: Sequence[dict[str, Any]]) -> None:
    """Messages of an attempt, in one transaction.

    Raises:
        AttemptSuperseded: the job is no longer this attempt's; nothing was written.
        JournalUnavailable: not now; the messages are to be written down again.
    """
    permissions: list[bool] = []
    with dispatch.together():
        for message in messages:
            if "may_publish" in message:
                permissions.append(not running.killed and dispatch.may_publish(running.job))
            else:
                _write_down(dispatch, running, message)
    for allowed in permissions:  # only now that the journal knows of it
        with contextlib.suppress(OSError):  # it has ended meanwhile, which is heard soon
            running.lines.send({"publish": allowed})


def _write_down(dispatch: Dispatch, running: Running, message: dict[str, Any]) -> None:
    if "series" in message:
        series = message["series"]
        latest = {name: values[-1] for name, values in series.items() if name != "epoch"}
        dispatch.record(running.job, progress=message["progress"], latest=latest, epochs=series)
    elif "message" in message:
        dispatch.message(running.job, message["message"])
    elif "stage" in message:
        dispatch.went_through(running.job, message["stage"], message["began"], message["ended"])
    elif "saved" in message:
        dispatch.saved(running.job, message["saved"])
    elif "left" in message:
        running.left = True
    elif "put_off" in message:
        running.put_off, running.unpublished = message["put_off"], message["unpublished"]
    else:
        running.result, running.error = message.get("result"), message.get("error")


def conclude(dispatch: Dispatch, running: Running) -> Job:
    """The end of an attempt that is over.

    Raises:
        AttemptSuperseded: the job is no longer this attempt's.
        JournalUnavailable: not now.
    """
    job = running.job
    if running.result is not None:
        return dispatch.finish(job, Status.SUCCEEDED, result=running.result)
    if running.error is not None:
        return dispatch.finish(job, Status.FAILED, error=running.error)
    if running.put_off is not None:
        return dispatch.put_off(job, running.put_off, unpublished=running.unpublished)
    if running.left:
        return dispatch.finish(
            job, Status.QUEUED, error=stopped("the attempt was asked to leave, and saved where it stood")
        )
    if running.status == FENCED:
        return dispatch.fence(job, "the service could not say in time that it lives, and ended the attempt")
    if running.orphaned and not running.blamed:
        return dispatch.orphan(job, "the trainer server ended, and the attempt with it")
    return dispatch.crash(job, f"the trainer process ended unexpectedly ({running.end})")


def stopped(detail: str) -> dict[str, Any]:
    """The cause of an attempt that ended before its time, and that nothing is wrong with."""
    return {"code": "stopped", "detail": detail}


def give_back(dispatch: Dispatch, job: Job, detail: str) -> None:
    """Puts a job that could not be begun back into the queue."""
    log.warning("job %s goes back into the queue: %s", job.id, detail, extra={"job_id": job.id})
    with contextlib.suppress(AttemptSuperseded):
        dispatch.finish(job, Status.QUEUED, error={"code": "crashed", "detail": detail})

"""What attempts say, and how they end, written into the journal."""

import contextlib
from typing import Any

from service.jobs.dispatch import Dispatch
from service.jobs.job import Job, Status
from service.jobs.running import Running
from service.jobs.trainer_server import FENCED


def write_down(dispatch: Dispatch, running: Running, message: dict[str, Any]) -> None:
    """One message of an attempt.

    Raises:
        AttemptSuperseded: the job is no longer this attempt's.
        JournalUnavailable: not now; the message is to be written down again.
    """
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
    elif "may_publish" in message:
        allowed = not running.killed and dispatch.may_publish(running.job)
        with contextlib.suppress(OSError):  # it has ended meanwhile, which is heard soon
            running.lines.send({"publish": allowed})
    elif "left" in message:
        running.left = True
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
    if running.left:
        return dispatch.finish(
            job, Status.QUEUED, error=stopped("the attempt was asked to leave, and saved where it stood")
        )
    if running.status == FENCED:
        detail = "the service could not say in time that it lives, and ended the attempt"
        return dispatch.finish(job, Status.QUEUED, error={"code": "lease_lost", "detail": detail})
    return dispatch.crash(job, f"the trainer process ended unexpectedly ({running.end})")


def stopped(detail: str) -> dict[str, Any]:
    """The cause of an attempt that ended before its time, and that nothing is wrong with."""
    return {"code": "stopped", "detail": detail}

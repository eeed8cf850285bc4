"""Training jobs: submit, follow, cancel, pause, resume."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from service.access.audit import note
from service.access.keys import Key
from service.api.accept import choose
from service.api.bodies import read_json
from service.api.dependencies import Service, Services
from service.api.errors import InvalidRequest
from service.api.json import json_response
from service.api.middleware.authorize import CALLER
from service.api.pagination import MOST_BYTES, After, Limit, page_response
from service.api.path_converters import JOB_ID
from service.api.pools import while_client_waits
from service.api.routing import PooledRoute, pool
from service.api.schemas import documents
from service.api.schemas.documents import PROBLEMS, spec_body
from service.api.schemas.job import document
from service.jobs.errors import TooManyWatchers
from service.jobs.job import Event, Job, Status
from service.jobs.records import apart
from service.use_cases.current_versions import CurrentVersions
from service.use_cases.submit_training import plan, submit
from service.workflow.spec import parse

router = APIRouter(prefix="/v1/training-jobs", tags=["training jobs"], responses=PROBLEMS, route_class=PooledRoute)

HEARTBEAT = 15.0  # seconds of silence after which an event stream says that it is alive
TIME_TO_STOP = 5.0
EVENT_STREAM = "text/event-stream"
LARGEST_ID = 10**18
IDEMPOTENCY_KEY = "[!-~]{1,255}"
Body = Annotated[Any, Depends(read_json)]


@router.post("", status_code=202, summary="Train a model", response_model=documents.Job, openapi_extra=spec_body())
@pool("planning")
def create(
    request: Request,
    service: Service,
    body: Body,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=300,
            description="repeats of it by the same caller make no second job",
            json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": f"^{IDEMPOTENCY_KEY}$"},
        ),
    ] = None,
) -> Response:
    """Queues a training and answers at once. Follow it at `Location`."""
    keys = _own_keys(request, idempotency_key)
    traceparent = getattr(request.state, "traceparent", None)
    job, new = submit(service.store, service.journal, body, keys=keys, limits=service.limits, traceparent=traceparent)
    request.state.job_id = job.id  # for the access log, and the trace
    if new:
        note("job.created", job.id, after=job.model_name)
    service.wake()
    return json_response(document(job), 202, {"Location": f"/v1/training-jobs/{job.id}"})


@router.post(
    "/validate", summary="Check a spec without training", response_model=documents.Plan, openapi_extra=spec_body()
)
@pool("planning")
def validate(service: Service, body: Body) -> Response:
    """What the spec comes to: every default, the model's parameters, the rows of each part."""
    planned = plan(service.store, parse(body), service.limits)
    return json_response(
        {
            "spec": planned.spec.to_json(),
            "parameters": planned.parameters,
            "rows": planned.rows,
            "warnings": planned.warnings,
        }
    )


@router.get("", summary="List training jobs, newest first", response_model=documents.Page[documents.Job])
def index(
    service: Service,
    status: Status | None = None,
    model_name: str | None = None,
    after: After = None,
    limit: Limit = 20,
) -> Response:
    """Training jobs, newest first."""
    jobs, more = service.journal.list_jobs(status=status, model_name=model_name, after=after, limit=limit)
    return page_response((document(followed(service.current, job)) for job in jobs), more)


@router.get(f"/{JOB_ID}", summary="Show a training job", response_model=documents.Job)
async def show(
    service: Service,
    job_id: str,
    wait: Annotated[float, Query(ge=0, le=60, description="seconds to wait for its end")] = 0,
) -> Response:
    """The job; with `wait` once it has ended or the seconds have passed."""
    if not wait:
        return json_response(document(await service.pools.reading.run(_job, service, job_id)))
    job = await _until(service, job_id, lambda job: job.final, wait)
    if apart(job):  # its records are read for who is shown them
        job = await service.pools.reading.run(service.journal.get, job_id)
    return json_response(document(job))


@router.post("/{job_id}/cancel", summary="Cancel a training job", response_model=documents.Job)
async def cancel(service: Service, job_id: str) -> Response:
    """The cancelled job; after 5 s the running one with `requested`."""
    job = await service.pools.reading.run(_asked, service, service.journal.cancel, "job.cancelled", job_id)
    service.wake()
    return json_response(document(await _after(service, job, lambda job: job.final)))


@router.post("/{job_id}/pause", summary="Pause a training job", response_model=documents.Job)
async def pause(service: Service, job_id: str) -> Response:
    """The paused job, its checkpoint saved and its slot free; after 5 s the running one with `requested`."""
    job = await service.pools.reading.run(_asked, service, service.journal.pause, "job.paused", job_id)
    service.wake()
    return json_response(document(await _after(service, job, _stands_still)))


@router.post("/{job_id}/resume", summary="Resume a paused training job", response_model=documents.Job)
def resume(service: Service, job_id: str) -> Response:
    """The job, queued again: it goes on from its checkpoint. Paused, or failed for want of space or of the store."""
    job = _asked(service, service.journal.resume, "job.resumed", job_id)
    service.wake()
    return json_response(document(job))


@router.get("/{job_id}/attempts", summary="The attempts at a training job", response_model=documents.Attempts)
def attempts(service: Service, job_id: str) -> Response:
    """Each attempt, rising: when it ran, what the job became when it ended, and why."""
    found = [
        {
            "attempt": each.number,
            "started_at": each.started_at,
            "ended_at": each.ended_at,
            "status": each.status,
            "cause": each.cause,
        }
        for each in service.journal.attempts(job_id)
    ]
    return json_response({"data": found})


@router.get(
    "/{job_id}/metrics",
    summary="The metrics of every epoch",
    response_model=dict[str, list[float | None]],
)
def metrics(service: Service, job_id: str) -> Response:
    """Series of equal length, `epoch` first."""
    return json_response(service.journal.metrics(job_id))


@router.get(
    "/{job_id}/events",
    summary="What happened to a training job, live or so far",
    response_model=documents.Page[documents.Event],
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}, "description": "The events."},
        204: {"description": "To `Accept: text/event-stream`: the job has ended, and nothing is left to tell."},
    },
)
async def events(
    request: Request,
    service: Service,
    job_id: str,
    accept: Annotated[str, Header()] = "*/*",
    last_event_id: Annotated[str | None, Header(description="replays what came after it")] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    limit: Limit = 1000,
) -> Response:
    """A JSON list, rising; with `Accept: text/event-stream` the events so far, then live, until the job has ended."""
    if choose(accept, ["application/json", EVENT_STREAM]) != EVENT_STREAM:
        found = await service.pools.reading.run(_events, service, job_id, after, limit + 1)
        return page_response(map(_event, found[:limit]), len(found) > limit)
    if last_event_id is not None:
        if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= 18):
            raise InvalidRequest("Last-Event-ID must be the id of an event, a whole number")
        after = int(last_event_id)
    with service.feed.watch(job_id) as watched:
        job = await service.feed.read(job_id)
        if job.final and not (await service.feed.events(job_id, watched, after))[0]:
            return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(service, job_id, after), media_type=EVENT_STREAM, headers=headers)


def _own_keys(request: Request, sent: str | None) -> list[str]:
    """The names in the journal of an idempotency key: those of one holder of a key for the service are none of another's.
    The second is that of before they were kept apart."""
    if sent is None:
        return []
    sent = sent.strip(" \t")
    if re.fullmatch(IDEMPOTENCY_KEY, sent) is None:
        raise InvalidRequest("an Idempotency-Key has 1 to 255 visible ASCII characters, and no spaces within")
    caller: Key | None = request.scope[CALLER]
    if caller is None:
        return [sent]
    return [f"{caller.id}:{hashlib.sha256(sent.encode()).hexdigest()}", sent]


def _asked(service: Services, ask: Callable[[str], Job], what: str, job_id: str) -> Job:
    """Asks something of a job; the audit log is told if that changed it."""
    was, job = service.journal.get(job_id), ask(job_id)
    if (job.status, job.requested) != (was.status, was.requested):
        note(what, job_id, before=was.status, after=f"{job.requested} requested" if job.requested else job.status)
    return job


async def _after(service: Services, job: Job, reached: Callable[[Job], bool]) -> Job:
    """The job after what was asked of it: that was done, whether or not there is a place to wait for what follows."""
    try:
        return await _until(service, job.id, reached, TIME_TO_STOP)
    except TooManyWatchers:
        return job


def _stands_still(job: Job) -> bool:
    return job.requested != "pause"


def followed(current: CurrentVersions, job: Job) -> Job:
    """The job, which may be shown now: when it has succeeded, `latest` means its version in this process, too."""
    if job.status == "succeeded" and job.result is not None:
        current.follow_publish(job.result["model_name"], job.result["version"])
    return job


def _job(service: Services, job_id: str) -> Job:
    return followed(service.current, service.journal.get(job_id))


def _events(service: Services, job_id: str, after: int, limit: int) -> list[Event]:
    found = service.journal.events(job_id, after=after, limit=limit, most_bytes=MOST_BYTES)
    if any(each.type == "status" and each.data.get("status") == "succeeded" for each in found):
        _job(service, job_id)
    return found


def written(event: Event) -> bytes:
    """An event as it is sent to those who follow the job."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.type.encode(), orjson.dumps(_event(event)))


def _event(event: Event) -> dict[str, Any]:
    return {"id": event.id, "type": event.type, "created_at": event.created_at, "data": event.data}


async def _until(service: Services, job_id: str, reached: Callable[[Job], bool], seconds: float) -> Job:
    """The job once it has reached what is waited for, or as it is after so many seconds."""
    feed = service.feed
    with feed.watch(job_id) as watched:
        job = await feed.read(job_id)
        if reached(job) or feed.closed:
            return job
        await while_client_waits(feed.wait(watched, lambda each: each.job is not None and reached(each.job), seconds))
        return watched.job if watched.job is not None and reached(watched.job) else await feed.read(job_id)


async def _stream(service: Services, job_id: str, after: int) -> AsyncIterator[bytes]:
    feed = service.feed
    with feed.watch(job_id) as watched:
        await feed.read(job_id)
        while True:
            job, mark = watched.job, watched.mark
            found, after = await feed.events(job_id, watched, after)
            if found:
                yield b"".join(found)
            elif feed.closed or job is None or mark is None or job.final:
                return  # a client that is cut off comes again with Last-Event-ID
            else:
                told = await feed.wait(watched, lambda each: each.follows(after), HEARTBEAT)  # noqa: B023
                if not told:
                    yield b": alive\n\n"

"""Training jobs: submit, follow, cancel, pause, resume."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from service.access.audit import record_change
from service.access.scopes import Scope
from service.api.accept import choose
from service.api.bodies import read_json
from service.api.dependencies import Caller, Service, Services
from service.api.errors import InvalidRequest
from service.api.pagination import After, Limit
from service.api.path_converters import JOB_ID
from service.api.pools import cancel_on_disconnect
from service.api.problems import PROBLEMS
from service.api.routing import TrainRoute, needs, pool
from service.api.schemas.answer import MOST_BYTES, Page, page
from service.api.schemas.bodies import spec_body
from service.api.schemas.job import Attempts, Event, Job, Plan, attempt_document, event_document, job_document
from service.jobs import job as jobs
from service.jobs.errors import TooManyWatchers
from service.jobs.job import Status
from service.jobs.records import has_digest
from service.use_cases.submit_training import plan, submit
from service.use_cases.version_resolver import VersionResolver
from service.workflow.spec import parse

router = APIRouter(prefix="/v1/training-jobs", tags=["training jobs"], responses=PROBLEMS, route_class=TrainRoute)

HEARTBEAT = 15.0  # seconds without events after which a comment keeps an event stream open
TIME_TO_STOP = 5.0
EVENT_STREAM = "text/event-stream"
LARGEST_ID = 10**18
IDEMPOTENCY_KEY = "[!-~]{1,255}"
EventType = Literal["status", "metrics", "message"]
Body = Annotated[Any, Depends(read_json)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=300,
        description="repeated requests of a caller with the same key create one job, or one sweep",
        json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": f"^{IDEMPOTENCY_KEY}$"},
    ),
]


@router.post("", status_code=202, summary="Train a model", openapi_extra=spec_body())
@pool("planning")
def create(
    request: Request,
    response: Response,
    service: Service,
    caller: Caller,
    body: Body,
    idempotency_key: IdempotencyKey = None,
) -> Job:
    """Queues a training job, whose address is in `Location`."""
    keys = own_keys(caller, idempotency_key)
    traceparent = getattr(request.state, "traceparent", None)
    job, new = submit(service.store, service.journal, body, keys=keys, limits=service.limits, traceparent=traceparent)
    request.state.job_id = job.id  # for the access log, and the trace
    if new:
        record_change("job.created", job.id, after=job.model_name)
    service.wake()
    response.headers["Location"] = f"/v1/training-jobs/{job.id}"
    return job_document(job)


@router.post("/validate", summary="Check a spec without training", openapi_extra=spec_body())
@needs(Scope.TRAIN, audited=False)
@pool("planning")
def validate(service: Service, body: Body) -> Plan:
    """The resolved spec with all defaults, the number of parameters, and the rows of each part."""
    planned = plan(service.store, parse(body), service.limits)
    return {
        "spec": planned.spec.to_json(),
        "parameters": planned.parameters,
        "rows": planned.rows,
        "warnings": planned.warnings,
    }


@router.get("", summary="List training jobs, newest first")
def index(
    service: Service,
    status: Status | None = None,
    model_name: str | None = None,
    sweep: Annotated[str | None, Query(max_length=256, description="only the jobs of this sweep")] = None,
    after: After = None,
    limit: Limit = 20,
) -> Page[Job]:
    """Training jobs, newest first."""
    found, more = service.journal.list_jobs(status=status, model_name=model_name, sweep=sweep, after=after, limit=limit)
    return page((job_document(with_latest_current(service.current, job)) for job in found), more)


@router.get(f"/{JOB_ID}", summary="Show a training job")
async def show(
    service: Service,
    job_id: str,
    wait: Annotated[float, Query(ge=0, le=60, description="how many seconds to wait for the end of the job")] = 0,
) -> Job:
    """The job; with `wait`, once it has ended or that many seconds have passed."""
    if not wait:
        return job_document(await service.pools.reading.run(_job, service, job_id))
    job = await _wait(service, job_id, lambda job: job.final, wait)
    if has_digest(job):  # the feed reads jobs without the records of their specs
        job = await service.pools.reading.run(service.journal.get, job_id)
    return job_document(job)


@router.post("/{job_id}/cancel", summary="Cancel a training job")
async def cancel(service: Service, job_id: str) -> Job:
    """Cancels the job. If it still runs after 5 s, the response has `requested`."""
    job = await service.pools.reading.run(_change, service, service.journal.cancel, "job.cancelled", job_id)
    service.wake()
    return job_document(await _wait_for_effect(service, job, lambda job: job.final))


@router.post("/{job_id}/pause", summary="Pause a training job")
async def pause(service: Service, job_id: str) -> Job:
    """Saves a checkpoint and frees the slot. If the job still runs after 5 s, the response has `requested`."""
    job = await service.pools.reading.run(_change, service, service.journal.pause, "job.paused", job_id)
    service.wake()
    return job_document(await _wait_for_effect(service, job, _pause_done))


@router.post("/{job_id}/resume", summary="Resume a paused training job")
def resume(service: Service, job_id: str) -> Job:
    """Requeues a job from its checkpoint: a paused one, or one that failed because the disk or the store was unavailable."""
    job = _change(service, service.journal.resume, "job.resumed", job_id)
    service.wake()
    return job_document(job)


@router.get("/{job_id}/attempts", summary="List the attempts at a training job")
def attempts(service: Service, job_id: str) -> Attempts:
    """All attempts, oldest first: when each ran, the status of the job when it ended, and the cause."""
    return {"data": [attempt_document(each) for each in service.journal.attempts(job_id)]}


@router.get("/{job_id}/metrics", summary="Show the metrics of all epochs")
def metrics(service: Service, job_id: str) -> dict[str, list[float | None]]:
    """Series of equal length, `epoch` first."""
    return service.journal.metrics(job_id)


@router.get(
    "/{job_id}/events",
    summary="List or stream the events of a training job",
    response_model=Page[Event],
    responses={
        200: {
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
            "headers": {
                "Last-Event-ID": {"schema": {"type": "string"}, "description": "of a list: the job's newest event"}
            },
            "description": "The events.",
        },
        204: {"description": "To `Accept: text/event-stream`: the job has ended, and there are no more events."},
    },
)
async def events(
    response: Response,
    service: Service,
    job_id: str,
    accept: Annotated[str, Header()] = "*/*",
    last_event_id: Annotated[str | None, Header(description="replays the events after this one")] = None,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    limit: Limit = 1000,
    types: Annotated[list[EventType], Query(alias="type", description="only these, of a list", max_length=3)] = [],  # noqa: B006 - FastAPI's
) -> Page[Event] | Response:
    """A JSON list, oldest first; with `Accept: text/event-stream` the events so far, then live, until the job has ended. From
    the header `Last-Event-ID` of a list a stream can go on without the events before it."""
    if choose(accept, ["application/json", EVENT_STREAM]) != EVENT_STREAM:
        found, newest = await service.pools.reading.run(_events, service, job_id, after, limit + 1, types)
        response.headers["Last-Event-ID"] = str(newest)
        return page(map(event_document, found[:limit]), len(found) > limit)
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


def own_keys(caller: Caller, sent: str | None) -> list[str]:
    """The names of an idempotency key in the journal. The first belongs to the caller's API key; the second is that of earlier
    versions, which did not distinguish callers."""
    if sent is None:
        return []
    sent = sent.strip(" \t")
    if re.fullmatch(IDEMPOTENCY_KEY, sent) is None:
        raise InvalidRequest("an Idempotency-Key has 1 to 255 visible ASCII characters, and no spaces within")
    if caller is None:
        return [sent]
    return [f"{caller.id}:{hashlib.sha256(sent.encode()).hexdigest()}", sent]


def _change(service: Services, ask: Callable[[str], jobs.Job], what: str, job_id: str) -> jobs.Job:
    """Requests a change of a job, and records it in the audit log if it had an effect."""
    was, job = service.journal.get(job_id), ask(job_id)
    if (job.status, job.requested) != (was.status, was.requested):
        record_change(
            what, job_id, before=was.status, after=f"{job.requested} requested" if job.requested else job.status
        )
    return job


async def _wait_for_effect(service: Services, job: jobs.Job, reached: Callable[[jobs.Job], bool]) -> jobs.Job:
    """The job after the change has taken effect or some seconds have passed; at once if there are too many watchers."""
    try:
        return await _wait(service, job.id, reached, TIME_TO_STOP)
    except TooManyWatchers:
        return job


def _pause_done(job: jobs.Job) -> bool:
    return job.requested != "pause"


def with_latest_current(current: VersionResolver, job: jobs.Job) -> jobs.Job:
    """The job. If it has succeeded, `latest` includes its version in this process from now on."""
    if job.status == "succeeded" and job.result is not None and job.result["version"] is not None:
        current.follow_publish(job.result["model_name"], job.result["version"])
    return job


def _job(service: Services, job_id: str) -> jobs.Job:
    return with_latest_current(service.current, service.journal.get(job_id))


def _events(
    service: Services, job_id: str, after: int, limit: int, types: list[EventType]
) -> tuple[list[jobs.Event], int]:
    """A page of events, and the id of the job's newest event, read first: nothing lies between a page and what follows it."""
    newest = service.journal.marks([job_id])
    found = service.journal.events(job_id, after=after, limit=limit, most_bytes=MOST_BYTES, types=types)
    if any(each.type == "status" and each.data.get("status") == "succeeded" for each in found):
        _job(service, job_id)
    return found, newest[job_id].event


def event_bytes(event: jobs.Event) -> bytes:
    """An event in the format of server-sent events, made once for all clients that follow the job."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.type.encode(), orjson.dumps(event_document(event)))


async def _wait(service: Services, job_id: str, reached: Callable[[jobs.Job], bool], seconds: float) -> jobs.Job:
    """The job once `reached` is true of it, or after so many seconds."""
    feed = service.feed
    with feed.watch(job_id) as watched:
        job = await feed.read(job_id)
        if reached(job) or feed.closed:
            return job
        await cancel_on_disconnect(feed.wait(watched, lambda each: each.job is not None and reached(each.job), seconds))
        return watched.job if watched.job is not None and reached(watched.job) else await feed.read(job_id)


# Not fastapi.sse: its routes can only stream, while this one also answers JSON and 204, and it encodes events per client.
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
                reached = await feed.wait(watched, lambda each: each.follows(after), HEARTBEAT)  # noqa: B023
                if not reached:
                    yield b": alive\n\n"

"""A training job as an object: what it is, and what can be done with it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, TypeAlias

from modelwright.calls import job_path, json_of, objects_in, version_path
from modelwright.drivers import Awaiting, Waiting
from modelwright.errors import ApiError, JobFailed, ModelwrightError, UnexpectedAnswer, Unreachable
from modelwright.events import EventParser
from modelwright.json_types import Json, is_object
from modelwright.methods import OfAsyncClient, OfClient, operation, returns, stream
from modelwright.model import AsyncModelVersion, ModelVersion
from modelwright.results import Attempt, Event, Metrics, OfSweep, Outcome, Problem, Result, Within
from modelwright.steps import Call, Item, Pause, Read, Steps, Stream

FINAL = frozenset({"succeeded", "failed", "cancelled"})
WAIT_SECONDS = 30
RECONNECTIONS = 8

Watch: TypeAlias = bool | Callable[[Event], object]


class JobBase(Result):
    """A training job, as the service has described it last: `refresh` asks again. Its methods need its `id` alone."""

    within: ClassVar[Within] = {"result": Outcome, "error": Problem, "sweep": OfSweep}
    id: str
    status: str
    requested: str | None
    model_name: str
    spec: dict[str, Any]
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempt: int
    progress: dict[str, Any]
    result: Outcome | None
    error: Problem | None
    sweep: OfSweep | None

    def __init__(self, client: Waiting | Awaiting, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.__dict__["client"] = client

    @property
    def latest_metrics(self) -> dict[str, Any]:
        """The metrics of the last epoch, when the service was asked; `metrics()` gives all epochs."""
        metrics: dict[str, Any] = self["metrics"]
        return metrics

    @returns(lambda: (Job, AsyncJob))
    def refresh(self) -> Steps[Json]:
        """Asks the service how the job is now; returns the job itself."""
        return (yield from self._taken(Call("GET", job_path(self.id))))

    @returns(lambda: (ModelVersion, AsyncModelVersion))
    def wait(self, progress: Watch = False) -> Steps[Json]:
        """The version of the model, once the job has succeeded.

        Args:
            progress: shows how it goes on stderr: a bar that moves on a terminal, a line now and then elsewhere. A function
                is called with each event instead.

        Raises:
            JobFailed: the job has ended otherwise.
        """
        if progress is not False:
            from modelwright.progress import Progress

            shown = Progress(self)
            try:
                yield from _each(events(self.id), shown.take if progress is True else progress)
            finally:
                shown.end()
        self.take((yield from ended(self.id)))
        if self.result is None:
            raise ModelwrightError(f"Training job {self.id} has succeeded, but the service does not name its model.")
        if self.result.version is None:
            raise ModelwrightError(f"Training job {self.id} is a trial of a sweep, and has published no version.")
        return (yield from json_of(Call("GET", version_path(self.result.model_name, self.result.version))))

    @returns(lambda: (Job, AsyncJob))
    def cancel(self) -> Steps[Json]:
        """Ends the job without a model; returns the job itself."""
        return (yield from self._taken(Call("POST", job_path(self.id, "cancel"))))

    @returns(lambda: (Job, AsyncJob))
    def pause(self) -> Steps[Json]:
        """Lets the job save a checkpoint and pause; returns the job itself."""
        return (yield from self._taken(Call("POST", job_path(self.id, "pause"))))

    @returns(lambda: (Job, AsyncJob))
    def resume(self) -> Steps[Json]:
        """Resumes the job from its checkpoint; returns the job itself."""
        return (yield from self._taken(Call("POST", job_path(self.id, "resume"))))

    @stream
    def events(self, last_event_id: int | str | None = None) -> Stream[Event]:
        """The events of the job, live, until it has ended; reconnects after a broken connection without losing events."""
        yield from events(self.id, last_event_id)

    @operation
    def metrics(self) -> Steps[Metrics]:
        """The series of each metric over the epochs so far."""
        return Metrics((yield from json_of(Call("GET", job_path(self.id, "metrics")))))

    @operation
    def attempts(self) -> Steps[list[Attempt]]:
        """The attempts at the job, oldest first."""
        return (yield from attempts(self.id))

    def _taken(self, call: Call) -> Steps[Json]:
        self.take((yield from json_of(call)))
        return self

    def _repr_html_(self) -> str:
        """The job as a notebook shows it."""
        from modelwright import notebook  # which only notebooks need

        return notebook.job(self)


class Job(JobBase, OfClient):
    """A training job of a `Client`."""


class AsyncJob(JobBase, OfAsyncClient):
    """A training job of an `AsyncClient`: the same methods, to be awaited."""


def ended(job_id: str) -> Steps[Json]:
    """The job once it has succeeded; `JobFailed` when it ends otherwise."""
    while True:
        try:
            call = Call("GET", job_path(job_id), query={"wait": WAIT_SECONDS}, timeout=WAIT_SECONDS)
            job = yield from json_of(call)
        except ApiError as error:
            if error.status != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            # Too many requests wait already; the job continues.
            yield Pause(1 if error.retry_after is None else error.retry_after)
            continue
        status: Any = job.get("status")
        if status == "succeeded":
            return job
        if status in FINAL:
            raise JobFailed(job)
        if not isinstance(status, str):
            raise UnexpectedAnswer


def events(job_id: str, last_event_id: int | str | None = None) -> Stream[Event]:
    """The events of a job, live, until it has ended; reconnects after a broken connection without losing events."""
    parser = EventParser("" if last_event_id is None else str(last_event_id))
    connected, failures = False, 0
    while True:
        try:
            response = yield _open_events(job_id, parser.last_event_id)
            if response.status_code == HTTPStatus.NO_CONTENT:
                return
            connected, failures = True, 0
            while chunk := (yield Read()):
                for event in parser.feed(chunk):
                    yield Item(Event(event))
                    if event.get("type") == "status" and _is_final(event.get("data")):
                        return
        except (Unreachable, ApiError) as error:
            failures += 1
            busy = isinstance(error, ApiError) and error.status == HTTPStatus.TOO_MANY_REQUESTS
            broken = connected and (isinstance(error, Unreachable) or error.status == HTTPStatus.SERVICE_UNAVAILABLE)
            if not (busy or broken) or failures > RECONNECTIONS:
                raise
        parser.restart()
        yield Pause(min(parser.retry * 2**failures, 5))


def attempts(job_id: str) -> Steps[list[Attempt]]:
    """The attempts at a job, oldest first."""
    return list(map(Attempt, objects_in((yield from json_of(Call("GET", job_path(job_id, "attempts")))))))


def _is_final(data: Any) -> bool:
    return is_object(data) and data.get("status") in FINAL


def _open_events(job_id: str, last_event_id: str) -> Call:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    return Call("GET", job_path(job_id, "events"), headers=headers, live=True, repeatable=False)


def _each(steps: Stream[Event], take: Callable[[Event], object]) -> Steps[None]:
    """Does the steps of a stream, and calls a function with each of its items."""
    answer: Any = None
    fault: Exception | None = None
    try:
        while True:
            step = steps.throw(fault) if fault else steps.send(answer)
            answer, fault = None, None
            if isinstance(step, Item):
                take(step.value)
                continue
            try:
                answer = yield step
            except Exception as error:  # the steps decide what it means
                fault = error
    except StopIteration:
        return
    finally:
        steps.close()

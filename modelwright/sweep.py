"""A sweep as an object: a search over the settings of a training, and what can be done with it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from modelwright.calls import as_it_is, json_of, pages, path, version_path
from modelwright.drivers import Awaiting, Waiting
from modelwright.errors import ModelwrightError, SweepFailed
from modelwright.job import AsyncJob, Job
from modelwright.json_types import Json
from modelwright.methods import OfAsyncClient, OfClient, returns, yields
from modelwright.model import AsyncModelVersion, ModelVersion
from modelwright.results import Outcome, Problem, Result, Trial, Within
from modelwright.steps import Call, Pause, Steps, Stream

FINAL = frozenset({"failed", "cancelled"})
BETWEEN_LOOKS = 1.0  # seconds


class SweepBase(Result):
    """A sweep, as the service has described it last: `refresh` asks again. Its methods need its `id` alone. In a list it has no
    `trials`."""

    within: ClassVar[Within] = {"trials": Trial, "best": Trial, "result": Outcome, "error": Problem}
    id: str
    status: str
    requested: str | None
    model_name: str
    spec: dict[str, Any]
    settings: dict[str, Any]
    created_at: str
    finished_at: str | None
    trials_by_status: dict[str, int]
    trials: list[Trial]
    best: Trial | None
    winner_job_id: str | None
    result: Outcome | None
    error: Problem | None

    def __init__(self, client: Waiting | Awaiting, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.__dict__["client"] = client

    @returns(lambda: (Sweep, AsyncSweep))
    def refresh(self) -> Steps[Json]:
        """Asks the service how the sweep is now; returns the sweep itself."""
        return (yield from self._taken(Call("GET", sweep_path(self.id))))

    @returns(lambda: (ModelVersion, AsyncModelVersion))
    def wait(self) -> Steps[Json]:
        """The version of the best settings, once the sweep has succeeded.

        Raises:
            SweepFailed: the sweep has ended otherwise.
        """
        while True:
            yield from self._taken(Call("GET", sweep_path(self.id)))
            if self.status == "succeeded":
                break
            if self.status in FINAL:
                raise SweepFailed(self)
            yield Pause(BETWEEN_LOOKS)
        if self.result is None or self.result.version is None:
            raise ModelwrightError(f"Sweep {self.id} has succeeded, but the service does not name its model.")
        return (yield from json_of(Call("GET", version_path(self.result.model_name, self.result.version))))

    @yields(lambda: (Job, AsyncJob))
    def jobs(self) -> Stream[Json]:
        """The training jobs of the sweep, newest first."""
        yield from pages(as_it_is, "/v1/training-jobs", "id", {"sweep": self.id})

    @returns(lambda: (Sweep, AsyncSweep))
    def cancel(self) -> Steps[Json]:
        """Ends the sweep and its trials without a model; returns the sweep itself."""
        return (yield from self._taken(Call("POST", sweep_path(self.id, "cancel"))))

    @returns(lambda: (Sweep, AsyncSweep))
    def pause(self) -> Steps[Json]:
        """Lets the trials save a checkpoint and pause, and begins no more; returns the sweep itself."""
        return (yield from self._taken(Call("POST", sweep_path(self.id, "pause"))))

    @returns(lambda: (Sweep, AsyncSweep))
    def resume(self) -> Steps[Json]:
        """Lets a paused sweep go on; returns the sweep itself."""
        return (yield from self._taken(Call("POST", sweep_path(self.id, "resume"))))

    def _taken(self, call: Call) -> Steps[Json]:
        self.take((yield from json_of(call)))
        return self


class Sweep(SweepBase, OfClient):
    """A sweep of a `Client`."""


class AsyncSweep(SweepBase, OfAsyncClient):
    """A sweep of an `AsyncClient`: the same methods, to be awaited."""


def sweep_path(sweep_id: str, *parts: str) -> str:
    """The address of a sweep, or of something that belongs to it."""
    return path("sweeps", sweep_id, *parts)

"""The steps of sweeps, without trainings: jobs are ended as runners end them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from model_store import Store
from service.jobs.database import open_database
from service.jobs.job import Status
from service.jobs.job_queue import JobQueue
from service.jobs.sweep import SweepStatus
from service.jobs.sweep_steps import SweepSteps
from service.use_cases.advance_sweeps import SweepAdvancer
from service.use_cases.submit_sweep import submit_sweep
from service.use_cases.submit_training import Limits
from tests.harness.line import line
from tests.model_store.memory_backend import MemoryBackend

LIMITS = Limits(10**6, 2**30, 2**30)
SEARCH = {"optimizer.lr": {"choice": [0.1, 0.2, 0.3]}}
BODY = {
    **line(3, name="searched"),
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
    "search": SEARCH,
    "method": "grid",
    "parallel": 2,
}


class Sweeping:
    """A sweep, and what advances and trains it."""

    def __init__(self, folder: Path) -> None:
        self.engine = open_database(f"sqlite:///{folder / 'journal.sqlite'}")
        self.store = Store(MemoryBackend())
        self.steps, self.queue = SweepSteps(self.engine), JobQueue(self.engine)
        self.advancer = SweepAdvancer(self.store, self.steps, LIMITS, 2, lambda: None)
        self.id = ""

    def begin(self, **about: Any) -> None:
        """Submits the sweep, and begins its first round."""
        self.id = submit_sweep(self.store, self.steps, BODY | about, limits=LIMITS, slots=2)[0].id
        self.advance()

    def advance(self) -> None:
        """As far as it can be now."""
        while self.advancer.advance(self.id):
            pass

    def finish(self, result: dict[str, Any]) -> None:
        """Ends the next trial well."""
        job = self.queue.claim("us")
        assert job is not None
        self.queue.finish(job, Status.SUCCEEDED, result={"model_name": "searched", "version": None} | result)

    def trials(self) -> list[tuple[float, float | None]]:
        """The settings and objectives."""
        return [(each.settings["optimizer.lr"], each.objective) for each in self.steps.sweep(self.id).trials]


@pytest.fixture
def sweeping(tmp_path: Path) -> Iterator[Sweeping]:
    made = Sweeping(tmp_path)
    yield made
    made.engine.dispose()


def loss(value: float) -> dict[str, Any]:
    """The result of a trial with this validation loss."""
    return {"losses": {"validation_loss": value}, "metrics": {}}


def test_a_round_begins_when_all_before_it_have_ended(sweeping: Sweeping) -> None:
    sweeping.begin()
    assert sweeping.trials() == [(0.1, None), (0.2, None)]
    sweeping.finish(loss(0.5))
    sweeping.advance()
    assert sweeping.trials() == [(0.1, 0.5), (0.2, None)]
    sweeping.finish(loss(0.3))
    sweeping.advance()
    assert sweeping.trials() == [(0.1, 0.5), (0.2, 0.3), (0.3, None)]
    sweeping.finish(loss(0.3))
    sweeping.advance()
    sweep = sweeping.steps.sweep(sweeping.id)
    winner = sweeping.steps.get(sweep.winner_job or "")
    assert sweep.best == 2, "the first of equal ones"
    assert winner.spec["optimizer"]["lr"] == 0.2 and "publishes" not in winner.context
    sweeping.finish({"version": 1})
    sweeping.advance()
    sweep = sweeping.steps.sweep(sweeping.id)
    assert sweep.status is SweepStatus.SUCCEEDED and sweep.result == {"model_name": "searched", "version": 1}


def test_the_figures_of_a_version_whose_attempt_could_not_say_them(sweeping: Sweeping, tmp_path: Path) -> None:
    sweeping.begin(keep_versions=True)
    history = tmp_path / "history.json"
    history.write_bytes(orjson.dumps({"epoch": [1, 2], "train_loss": [2.0, 1.0], "validation_loss": [0.75, 0.25]}))
    spec = {"training": {"early_stopping": None}}
    manifest = {"spec": spec, "metrics": {"train": {}, "validation": {"r2": 0.5}, "test": {"r2": 1}}}
    models = sweeping.store.models
    models.publish_once("searched", manifest, {"history.json": history}, key="k", since=0)
    sweeping.finish({"version": 1})
    sweeping.advance()
    trial = sweeping.steps.sweep(sweeping.id).trials[0]
    assert trial.objective == 0.25 and trial.result is not None
    assert trial.result["metrics"] == {"train": {}, "validation": {"r2": 0.5}}


def test_a_sweep_without_a_figure_fails_with_the_reason(sweeping: Sweeping) -> None:
    sweeping.begin()
    sweeping.finish(loss(float("nan")))
    sweeping.finish({})
    sweeping.advance()
    sweeping.finish({"losses": {}})
    sweeping.advance()
    sweep = sweeping.steps.sweep(sweeping.id)
    assert sweep.status is SweepStatus.FAILED and (sweep.error or {})["code"] == "no_objective"

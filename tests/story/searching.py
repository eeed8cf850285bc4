"""A sweep of twelve trials, and what must be the same however often its service is killed."""

from typing import Any

from tests.harness.line import line
from tests.harness.server import Server
from tests.harness.until import until

EPOCHS = 400
SWEEP = {
    **line(EPOCHS, name="searched"),
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
    "search": {"optimizer.lr": {"log": [1e-4, 0.3]}, "loss.name": {"choice": ["L1Loss", "MSELoss", "HuberLoss"]}},
    "trials": 12,
    "parallel": 2,
    "seed": 5,
}
FINAL = {"succeeded", "failed", "cancelled"}


def came_to(server: Server) -> dict[str, Any]:
    """What is the same whenever the sweep is repeated, once it has ended."""

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = server.client.sweep(str(sweep_id(server)))
        return found if found["status"] in FINAL else None

    sweep = until(ended, 300)
    assert sweep["status"] == "succeeded", sweep
    jobs = list(server.client.jobs(model_name="searched"))
    assert len(jobs) == len(sweep["trials"]) + 1, "each trial has one job, and the best another"
    assert [each["version"] for each in server.client.versions("searched")] == [1]
    return {
        "trials": [(each["number"], each["values"], each["objective"]) for each in sweep["trials"]],
        "best": sweep["best"]["number"],
        "weights": server.client.state_dict("searched", 1),
    }


def sweep_id(server: Server) -> str:
    """The id of the only sweep."""
    return str(next(iter(server.client.sweeps()))["id"])


def steps_of(server: Server) -> int:
    """How far the sweep is: two for each trial, when it has begun and when it has ended, and two for the best."""
    sweep = server.client.sweep(sweep_id(server))
    ended: int = sum(count for status, count in sweep["trials_by_status"].items() if status in FINAL)
    return len(sweep.trials) + ended + (sweep["winner_job_id"] is not None) + (sweep["status"] in FINAL)

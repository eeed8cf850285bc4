"""A sweep whose trials are trained together, and whose service is killed: the same suggestions, objectives and best."""

import random
import secrets
from pathlib import Path
from typing import Any

from modelwright import Sweep
from tests.api.test_vectorized_sweeps import sweep_of
from tests.harness.server import Server, verify
from tests.harness.until import until

EPOCHS = 300
SWEEP = sweep_of(
    "killed",
    method="tpe",
    trials=12,
    parallel=6,
    search={"optimizer.lr": {"log": [1e-4, 0.1]}, "model.dropout": {"uniform": [0, 0.4]}},
    training={"epochs": EPOCHS, "early_stopping": None},
)


def test_kills_while_trials_are_trained_together_change_nothing(tmp_path: Path) -> None:
    with Server(tmp_path / "undisturbed", slots=1) as server:
        undisturbed = came_to(server.client.search(SWEEP, SWEEP["search"]), server)
    seed = secrets.randbits(32)
    moments = sorted(random.Random(seed).sample(range(1, 2 * EPOCHS), k=3))  # noqa: S311 - no secret
    with Server(tmp_path / "home", slots=1, checkpoint_seconds=0.05) as server:
        sweep = server.client.search(SWEEP, SWEEP["search"])
        for moment in moments:
            until(lambda: epochs_of(server) >= moment or sweep.refresh()["winner_job_id"], 120)  # noqa: B023 - used at once
            server.kill()
            server.start()
            sweep = server.client.sweep(sweep.id)
        assert came_to(sweep, server) == undisturbed, f"seed {seed}: killed at the epochs {moments}"
        assert server.stop() == 0
    verify(tmp_path / "home")


def epochs_of(server: Server) -> int:
    """The epochs of all rounds so far."""
    return sum(each["progress"].get("epoch", 0) for each in server.client.jobs(model_name="killed"))


def came_to(sweep: Sweep, server: Server) -> dict[str, Any]:
    """What is the same whenever the sweep is repeated, once it has ended."""
    sweep.wait()
    assert all(each.vectorized for each in sweep.trials)
    assert len({each.job_id for each in sweep.trials}) == 2, "a job for each round"
    assert sweep.best is not None
    return {
        "trials": [(each.number, each.settings, each.objective) for each in sweep.trials],
        "best": sweep.best.number,
        "weights": server.client.state_dict("killed", 1),
    }

"""Sweeps whose trials are trained together in one job, over HTTP."""

import random
from typing import Any

import httpx
import pytest

from tests.api.test_sweeps import begun, ended, jobs_of, sweep_when
from tests.harness.until import until

SEARCH = {"optimizer.lr": {"log": [0.001, 0.1]}, "training.seed": {"int": [1, 9]}}


def rows(count: int = 200) -> list[dict[str, float]]:
    """A line with noise."""
    draw = random.Random(3)  # noqa: S311 - test data
    made = []
    for _ in range(count):
        x = draw.gauss(0, 1)
        made.append({"x": x, "y": 2 * x + draw.gauss(0, 0.1)})
    return made


def sweep_of(name: str, **about: Any) -> dict[str, Any]:
    """A sweep over small networks of one shape."""
    data = {"kind": "rows", "records": rows(), "target": "y"}
    training = {"epochs": 5, "batch_size": 32} | about.pop("training", {})
    spec = {"model_name": name, "data": data, "split": {"seed": 0}, "model": {"kind": "mlp", "hidden": [8]}}
    search = {"search": SEARCH, "method": "random", "trials": 10, "parallel": 5}
    return spec | {"optimizer": {"name": "AdamW"}, "training": training} | search | about


def test_trials_of_one_shape_share_a_job_and_the_best_is_trained_again_alone(http: httpx.Client) -> None:
    sweep = ended(http, begun(http, sweep_of("together"))["id"])
    assert sweep["status"] == "succeeded", sweep
    trials = sweep["trials"]
    assert all(each["vectorized"] and each["status"] == "succeeded" and each["version"] is None for each in trials)
    first, second, winner = jobs_of(http, sweep["id"])
    assert [each["job_id"] for each in trials] == [first["id"]] * 5 + [second["id"]] * 5
    assert first["sweep"] == {"id": sweep["id"], "number": 1, "winner": False, "vectorized": [1, 2, 3, 4, 5]}
    assert second["sweep"]["vectorized"] == [6, 7, 8, 9, 10] and winner["sweep"]["vectorized"] == []
    assert list(first["result"]["trials"]) == ["1", "2", "3", "4", "5"]
    assert "test" not in first["result"]["trials"]["1"]["metrics"]
    assert sweep["best"] == min(trials, key=lambda each: each["objective"])
    assert sweep["result"] == {"model_name": "together", "version": 1}
    assert winner["result"]["losses"]["validation_loss"] == pytest.approx(sweep["best"]["objective"], rel=1e-3)
    manifest = http.get("/v1/models/together/versions/1").json()
    assert manifest["spec"]["training"]["seed"] == sweep["best"]["values"]["training.seed"]
    assert min(first["result"]["trials"][str(at)]["losses"]["validation_loss"] for at in range(1, 6)) == pytest.approx(
        min(each["objective"] for each in trials[:5])
    )


def test_a_trial_that_diverges_beside_others_fails_alone(http: httpx.Client) -> None:
    search = {"optimizer.lr": {"choice": [0.001, 0.01, 1e12, 0.1]}}
    body = sweep_of("beside", search=search, method="grid", parallel=4, optimizer={"name": "SGD"})
    body.pop("trials")
    sweep = ended(http, begun(http, body)["id"])
    assert sweep["status"] == "succeeded", sweep
    assert [each["status"] for each in sweep["trials"]] == ["succeeded", "succeeded", "failed", "succeeded"]
    failed = sweep["trials"][2]
    assert failed["error"]["code"] == "training_diverged" and failed["objective"] is None and failed["vectorized"]


@pytest.mark.parametrize(
    "about",
    [
        {"search": {"model.hidden": {"choice": [[4], [5], [6], [7]]}}},
        {"parallel": 3},
        {"keep_versions": True},
        {"optimizer": {"name": "RMSprop"}},
    ],
    ids=["of four shapes", "too few", "with versions", "an optimizer that is not computed together"],
)
def test_other_trials_have_a_job_each(http: httpx.Client, about: dict[str, Any]) -> None:
    body = sweep_of("each-alone", trials=4, **{"parallel": 4, **about})
    sweep = ended(http, begun(http, body)["id"])
    assert sweep["status"] == "succeeded", sweep
    assert len({each["job_id"] for each in sweep["trials"]}) == 4
    assert not any(each["vectorized"] for each in sweep["trials"])


def test_trials_that_share_a_job_are_paused_resumed_and_cancelled_together(http: httpx.Client) -> None:
    training = {"epochs": 10_000_000, "early_stopping": None}
    made = begun(http, sweep_of("held-together", training=training))
    (job,) = until(lambda: jobs_of(http, made["id"]))
    until(lambda: http.get(f"/v1/training-jobs/{job['id']}").json()["progress"], 120)
    http.post(f"/v1/sweeps/{made['id']}/pause").raise_for_status()
    paused = sweep_when(http, made["id"], lambda found: found["trials_by_status"] == {"paused": 5})
    assert all(each["vectorized"] for each in paused["trials"])
    http.post(f"/v1/sweeps/{made['id']}/resume").raise_for_status()
    sweep_when(http, made["id"], lambda found: found["trials_by_status"] == {"running": 5})
    http.post(f"/v1/sweeps/{made['id']}/cancel").raise_for_status()
    sweep = sweep_when(http, made["id"], lambda found: found["requested"] is None)
    assert sweep["trials_by_status"] == {"cancelled": 5} and sweep["result"] is None

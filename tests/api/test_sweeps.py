"""Sweeps over HTTP: a search over a training's settings, its trials, its best; and what is refused."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.api.conftest import LINE
from tests.harness.until import until

FINAL = {"succeeded", "failed", "cancelled"}
SPLIT = {"train": 0.6, "validation": 0.2, "test": 0.2}
SEARCH = {"optimizer.lr": {"log": [0.001, 0.3]}, "loss.name": {"choice": ["L1Loss", "MSELoss"]}}


def sweep_of(name: str, **about: Any) -> dict[str, Any]:
    """A sweep over the line."""
    return {**LINE, "model_name": name, "split": SPLIT, "search": SEARCH, "trials": 4, "parallel": 2, **about}


def begun(http: httpx.Client, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """The sweep that a request has made."""
    answer = http.post("/v1/sweeps", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/sweeps/{answer.json()['id']}"
    found: dict[str, Any] = answer.json()
    return found


def sweep_when(http: httpx.Client, sweep_id: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The sweep once something is true of it."""

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = http.get(f"/v1/sweeps/{sweep_id}").raise_for_status().json()
        return found if reached(found) else None

    found: dict[str, Any] = until(look, 300)
    return found


def ended(http: httpx.Client, sweep_id: str) -> dict[str, Any]:
    """The sweep once it has ended."""
    return sweep_when(http, sweep_id, lambda sweep: sweep["status"] in FINAL)


def jobs_of(http: httpx.Client, sweep_id: str) -> list[dict[str, Any]]:
    """The jobs of a sweep, oldest first."""
    found: list[dict[str, Any]] = http.get(f"/v1/training-jobs?sweep={sweep_id}").json()["data"]
    return found[::-1]


def test_the_best_of_the_trials_becomes_the_only_version(http: httpx.Client) -> None:
    made = begun(http, sweep_of("searched", seed=3))
    assert made["settings"] | {"method": "tpe", "objective": "validation_loss", "seed": 3} == made["settings"]
    sweep = ended(http, made["id"])
    assert sweep["status"] == "succeeded", sweep
    trials = sweep["trials"]
    assert [each["number"] for each in trials] == [1, 2, 3, 4]
    assert sweep["trials_by_status"] == {"succeeded": 4}
    assert all(0.001 <= each["values"]["optimizer.lr"] <= 0.3 and each["version"] is None for each in trials)
    assert sweep["best"] == min(trials, key=lambda each: each["objective"])
    versions = http.get("/v1/models/searched/versions").json()["data"]
    assert [each["version"] for each in versions] == [1] and sweep["result"] == {"model_name": "searched", "version": 1}
    manifest = http.get("/v1/models/searched/versions/1").json()
    assert manifest["spec"]["optimizer"]["lr"] == sweep["best"]["values"]["optimizer.lr"]
    assert manifest["spec"]["loss"]["name"] == sweep["best"]["values"]["loss.name"]
    jobs = jobs_of(http, made["id"])
    assert [each["sweep"]["number"] for each in jobs] == [1, 2, 3, 4, sweep["best"]["number"]]
    assert [each["sweep"]["winner"] for each in jobs] == [False] * 4 + [True]
    assert [each["id"] for each in jobs] == [*(each["job_id"] for each in trials), sweep["winner_job_id"]]
    for trial, job in zip(trials, jobs, strict=False):
        assert job["result"]["losses"]["validation_loss"] == trial["objective"]
        assert "test" not in job["result"]["metrics"] and job["result"]["version"] is None
    # The bits of the winner are those of its trial.
    assert jobs[-1]["result"]["losses"] == jobs[sweep["best"]["number"] - 1]["result"]["losses"]


def test_a_metric_that_is_to_be_high_and_a_version_of_each_trial(http: httpx.Client) -> None:
    search = {"optimizer.lr": {"choice": [1e-6, 0.05]}, "training.seed": {"int": [1, 2]}}
    body = sweep_of("kept", search=search, method="grid", objective="validation.r2", keep_versions=True)
    body.pop("trials")
    sweep = ended(http, begun(http, body)["id"])
    assert sweep["status"] == "succeeded", sweep
    tried = [each["values"] for each in sweep["trials"]]
    assert tried == [{"optimizer.lr": lr, "training.seed": seed} for lr in (1e-6, 0.05) for seed in (1, 2)]
    assert sweep["best"] == max(sweep["trials"], key=lambda each: each["objective"])
    assert sorted(each["version"] for each in sweep["trials"]) == [1, 2, 3, 4]
    assert sweep["result"] == {"model_name": "kept", "version": sweep["best"]["version"]}
    assert sweep["winner_job_id"] is None


def test_a_trial_whose_settings_fail_is_no_end_but_a_sweep_of_them_is(http: httpx.Client) -> None:
    search = {"optimizer.lr": {"choice": [0.01, 1e30]}}
    some = ended(http, begun(http, sweep_of("some", search=search, method="grid", loss={"name": "MSELoss"}))["id"])
    assert some["status"] == "succeeded" and some["best"]["number"] == 1
    assert some["trials_by_status"] == {"succeeded": 1, "failed": 1}
    assert some["trials"][1]["error"]["code"] == "training_diverged"
    search = {"optimizer.lr": {"choice": [1e29, 1e30]}}
    none = ended(http, begun(http, sweep_of("none", search=search, method="grid", loss={"name": "MSELoss"}))["id"])
    assert none["status"] == "failed" and none["best"] is None
    assert none["error"]["code"] == "training_diverged" and "Trial 1: " in none["error"]["detail"]


def test_a_sweep_is_paused_resumed_and_cancelled_with_its_trials(http: httpx.Client) -> None:
    made = begun(http, sweep_of("held", training={"epochs": 10_000_000, "batch_size": "full"}))
    jobs = until(lambda: jobs_of(http, made["id"]))
    running = f"/v1/training-jobs/{jobs[0]['id']}"
    until(lambda: http.get(running).json()["progress"], 120)
    paused = http.post(f"/v1/sweeps/{made['id']}/pause").json()
    assert paused["status"] == "paused"
    until(lambda: {each["status"] for each in jobs_of(http, made["id"])} == {"paused"}, 60)
    resumed = http.post(f"/v1/sweeps/{made['id']}/resume").json()
    assert resumed["status"] == "running"
    until(lambda: "running" in {each["status"] for each in jobs_of(http, made["id"])}, 60)
    cancelled = http.post(f"/v1/sweeps/{made['id']}/cancel").json()
    assert cancelled["status"] == "cancelled"
    until(lambda: {each["status"] for each in jobs_of(http, made["id"])} == {"cancelled"}, 60)
    sweep = sweep_when(http, made["id"], lambda found: found["requested"] is None)
    assert sweep["trials_by_status"] == {"cancelled": 2} and sweep["result"] is None
    refused = http.post(f"/v1/sweeps/{made['id']}/resume")
    assert refused.status_code == 409 and refused.json()["code"] == "illegal_transition"


def test_after_max_seconds_the_best_so_far_is_trained(http: httpx.Client) -> None:
    search = {"training.epochs": {"choice": [3, 10_000_000]}}
    body = sweep_of("hurried", search=search, method="grid", max_seconds=3.0)
    sweep = ended(http, begun(http, body)["id"])
    assert [each["status"] for each in sweep["trials"]] == ["succeeded", "cancelled"]
    assert sweep["status"] == "succeeded" and sweep["best"]["number"] == 1


def test_the_same_key_gives_the_same_sweep(http: httpx.Client) -> None:
    body = sweep_of("once", trials=1)
    first = begun(http, body, **{"Idempotency-Key": "a sweep".replace(" ", "-")})
    assert begun(http, body, **{"Idempotency-Key": "a-sweep"})["id"] == first["id"]
    other = http.post("/v1/sweeps", json={**body, "seed": 1}, headers={"Idempotency-Key": "a-sweep"})
    assert other.status_code == 422 and other.json()["code"] == "idempotency_mismatch"
    listed = http.get("/v1/sweeps?model_name=once").json()
    assert [each["id"] for each in listed["data"]] == [first["id"]] and "trials" not in listed["data"][0]
    ended(http, first["id"])


@pytest.mark.parametrize(
    ("about", "pointer", "message"),
    [
        ({"search": {"optimizer.rate": {"log": [0.1, 1]}}}, "/optimizer/rate", "unknown"),
        ({"search": {"optimiser.lr": {"log": [0.1, 1]}}}, "/optimiser", "did you mean 'optimizer'"),
        ({"search": {"optimizer.lr": {"uniform": [-1, 1]}}}, "/optimizer/lr", "optimizer.lr = -1"),
        ({"search": {"training.epochs": {"choice": [5, 2.5]}}}, "/training/epochs", "training.epochs = 2.5"),
        (
            {"search": {"model.kind": {"choice": ["linear_regression", "lineal"]}}},
            "/model/kind",
            "unknown kind 'lineal'",
        ),
        ({"search": {"optimizer.lr": {"log": [0, 1]}}}, "/search/optimizer.lr", "above 0"),
        ({"search": {"optimizer.lr": {"uniform": [1, 1]}}}, "/search/optimizer.lr", "lower bound first"),
        ({"search": {"optimizer.lr": {}}}, "/search/optimizer.lr", "exactly one of"),
        ({"search": {"optimizer.lr": {"logs": [1, 2]}}}, "/search/optimizer.lr/logs", "did you mean 'log'"),
        ({"search": {"optimizer.lr.x": {"int": [1, 2]}}}, "/optimizer/lr/x", "no fields"),
        ({"search": {"data.weight": {"uniform": [1, 2]}}}, "/search/data.weight", "could not be compared"),
        (
            {"search": {"optimizer": {"choice": [{}]}, "optimizer.lr": {"int": [1, 2]}}},
            "/search/optimizer",
            "one of them",
        ),
        ({"search": {}}, "/search", "expected a field"),
        ({"search": None}, "/search", "object"),
        ({"method": "grid"}, "/search/optimizer.lr", "choice or int"),
        ({"method": "best"}, "/method", "'random'"),
        ({"trials": 0}, "/trials", "1"),
        ({"objective": "test.r2"}, "/objective", "test part"),
        ({"objective": "validation.accuracy"}, "/objective", "validation.r2"),
        ({"split": {"train": 0.8, "validation": 0, "test": 0.2}}, "/objective", "no validation rows"),
        ({"data": {"kind": "dataset", "dataset": "nowhere", "target": "y"}}, "/data/dataset", "no data set"),
        ({"model_name": "Not A Name"}, "/model_name", ""),
    ],
)
def test_what_cannot_be_searched_is_refused(
    http: httpx.Client, about: dict[str, Any], pointer: str, message: str
) -> None:
    refused = http.post("/v1/sweeps", json=sweep_of("refused", **about))
    assert refused.status_code == 422, refused.text
    found = {each["pointer"]: each["message"] for each in refused.json()["errors"]}
    assert pointer in found and message in found[pointer], found
    assert http.get("/v1/sweeps?model_name=refused").json()["data"] == []


def test_unknown_sweeps(http: httpx.Client) -> None:
    for path in ("/v1/sweeps/none", "/v1/sweeps?after=none", "/v1/sweeps/%00"):
        answer = http.get(path)
        assert answer.status_code == 404 and answer.json()["code"] == "sweep_not_found", path
    assert http.get("/v1/training-jobs?sweep=none").json()["data"] == []
    assert http.post("/v1/sweeps", json=[]).status_code == 422

"""Both clients against the service itself: a complete workflow, and every method."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelwright import ApiError, AsyncClient, Client, JobFailed, ModelwrightError, SweepFailed
from tests.api.conftest import LINE
from tests.harness.server import Server
from tests.harness.until import until


class Caller:
    """Calls a method of a client by name; awaits results of the asynchronous client and reads iterators."""

    def __init__(self, server: Server, kind: type[Client | AsyncClient]) -> None:
        self.server, self.kind = server, kind

    def __call__(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        if self.kind is AsyncClient:
            return asyncio.run(self._awaited(method, *arguments, **named))
        with Client(self.server.url, transport=httpx.HTTPTransport()) as client:
            result = getattr(client, method)(*arguments, **named)
            return list(result) if isinstance(result, Iterator) else result

    async def _awaited(self, method: str, /, *arguments: Any, **named: Any) -> Any:
        async with AsyncClient(self.server.url, transport=httpx.AsyncHTTPTransport()) as client:
            result = getattr(client, method)(*arguments, **named)
            return [item async for item in result] if isinstance(result, AsyncIterator) else await result


@pytest.fixture(params=[Client, AsyncClient])
def call(server: Server, request: pytest.FixtureRequest) -> Caller:
    return Caller(server, request.param)


@pytest.fixture
def name(call: Caller) -> str:
    return f"chain-{call.kind.__name__.lower()}"


def test_from_training_to_deletion(call: Caller, name: str, tmp_path: Path) -> None:
    assert call("ready") is True
    spec = {**LINE, "model_name": name}
    assert call("validate", spec)["parameters"] == 2
    job = call("train", spec, idempotency_key=name)
    assert call("train", spec, idempotency_key=name)["id"] == job["id"]
    events = call("events", job["id"])
    assert events[-1]["data"]["status"] == "succeeded"
    assert call("events", job["id"], last_event_id=events[-2]["id"]) == events[-1:]
    assert call("events", job["id"], last_event_id=events[-1]["id"]) == []
    assert call("wait", job["id"])["result"] == {"model_name": name, "version": 1}
    assert call("job", job["id"], wait=1)["status"] == "succeeded"
    assert call("metrics", job["id"])["epoch"] == [1, 2, 3, 4, 5]
    assert [each["id"] for each in call("jobs", model_name=name)] == [job["id"]]

    assert name in [each["name"] for each in call("models")]
    assert call("model", name)["latest"] == 1
    assert [each["version"] for each in call("versions", name)] == [1]
    digest = call("manifest", name, 1)["digest"]
    assert call("parameters", name, "latest")["total"] == 2
    (weight, _) = call("parameters", name, 1, statistics=False)["parameters"]
    assert weight == {"name": "weight", "shape": [1], "dtype": "float32", "requires_grad": True, "count": 1}
    state_dict = call("state_dict", name, 1)
    assert call("state_dict", name, 1, tensor="bias", rows=(0, 1)) == {"bias": state_dict["bias"]}
    assert call("state_dict", name, 1, tensor="bias") == {"bias": state_dict["bias"]}
    assert call("state_dict_file", name, 1, tmp_path / "line.safetensors").stat().st_size > 8

    expected = [state_dict["weight"][0] * 0.5 + state_dict["bias"][0]]
    for data in ({"instances": [[0.5]]}, {"inputs": {"x": [0.5]}}, {"query": {"x": 0.5}}):
        assert call("predict", name, **data, version=1)["predictions"] == pytest.approx(expected)

    for rows in ({"instances": [[0.5]]}, {"inputs": {"x": [0.5]}, "target": "y", "version": 1}):
        explained = call("explain", name, **rows)
        added = expected[0] - explained["baseline"]["prediction"]
        assert explained["attributions"] == [{"x": pytest.approx(added, abs=1e-4)}]

    assert call("set_alias", name, "blue", 1, if_match=None)["entry"] == 1
    with pytest.raises(ApiError) as lost:
        call("set_alias", name, "blue", 1, if_match=7)
    assert (lost.value.status, lost.value.code) == (412, "precondition_failed")
    assert [each["alias"] for each in call("aliases", name)] == ["blue"]
    assert (call("alias", name, "blue").version, [each.entry for each in call("alias_history", name, "blue")]) == (
        1,
        [1],
    )
    with pytest.raises(ApiError):
        call("rollback_alias", name, "blue")
    call("delete_alias", name, "blue")

    assert call("card", name, 1).startswith(f"# {name}, version 1\n")
    assert call("lineage", name, 1)["job"] == {"id": job["id"], "state": "kept"}
    assert call("compare", name, 1, "latest")["parameters"]["l2"] == 0

    bundle = call("download_bundle", name, 1, tmp_path / "line.zip")
    assert call("upload_bundle", f"{name}-2", bundle)["digest"] == digest
    call("delete_version", f"{name}-2", 1)
    call("delete_model", name)
    with pytest.raises(ApiError) as gone:
        call("model", name)
    assert (gone.value.status, gone.value.code) == (404, "model_not_found")


def test_sweeps(call: Caller, name: str) -> None:
    spec = {**LINE, "model_name": f"swept-{name}", "split": {"train": 0.6, "validation": 0.2, "test": 0.2}}
    search = {"optimizer.lr": {"choice": [0.01, 0.02]}}
    begun = call("search", spec, search, method="grid", idempotency_key=f"swept-{name}")
    assert call("search", spec, search, method="grid", idempotency_key=f"swept-{name}").id == begun.id
    sweep = until(lambda: (found := call("sweep", begun.id)).finished_at and found, 120)
    assert sweep.status == "succeeded" and sweep.best.settings == sweep["best"]["values"]
    assert [each.objective for each in sweep.trials] == [each["objective"] for each in sweep["trials"]]
    assert [each.id for each in call("sweeps", "succeeded", f"swept-{name}")] == [begun.id]
    of_sweep = [each for each in call("jobs", model_name=f"swept-{name}") if each.sweep is not None]
    assert [each.sweep.winner for each in of_sweep] == [True, False, False]


def test_a_sweep_as_an_object(server: Server) -> None:
    with Client(server.url, transport=httpx.HTTPTransport()) as client:
        spec = {**LINE, "model_name": "object", "training": {"epochs": 2, "batch_size": "full"}}
        search = {"optimizer.lr": {"choice": [0.01, 0.02]}}
        sweep = client.search(spec, search, method="grid", objective="train_loss")
        version = sweep.wait()
        assert (version.name, version.version) == ("object", 1) and sweep.status == "succeeded"
        winner, *trials = sweep.jobs()
        assert winner.wait().version == 1
        with pytest.raises(ModelwrightError, match="is a trial of a sweep"):
            trials[0].wait()
        endless = {**spec, "model_name": "endless", "training": {"epochs": 10_000_000, "batch_size": "full"}}
        sweep = client.search(endless, search, objective="train_loss")
        assert [sweep.pause().status, sweep.resume().status] == ["paused", "running"]
        assert sweep.cancel().refresh().status == "cancelled"
        with pytest.raises(SweepFailed, match=r"cancelled\."):
            sweep.wait()


def test_data_sets(call: Caller, name: str, tmp_path: Path) -> None:
    table = tmp_path / "plants.csv"
    table.write_text("height,kind\n1,a\n2,b\n")
    assert call("upload_dataset", name, table)["version"] == 1
    assert call("upload_dataset", name, table.read_bytes(), media_type="text/csv")["version"] == 1
    assert call("upload_dataset", name, table.read_bytes())["version"] == 1
    uploaded = call("upload_dataset", name, table, missing=["1"], types={"kind": "category"})
    assert (uploaded["version"], uploaded["columns"][0]["missing"]) == (2, 1)
    changed = call("change_dataset", name, {"missing": None}, {"height": "category"})
    assert (changed["version"], [each["type"] for each in changed["columns"]]) == (3, ["category", "category"])
    assert call("change_dataset", name)["version"] == 3
    assert name in [each["name"] for each in call("datasets")]
    assert call("dataset", name)["rows"] == 2
    assert [each.version for each in call("dataset_versions", name)] == [3, 2, 1]
    assert [list(each) for each in call("dataset_rows", name, limit=1)] == [["height", "kind"]]
    call("delete_dataset", name)
    with pytest.raises(ApiError, match=r"no data set|Nothing"):
        call("dataset", name)


def test_waiting_for_a_cancelled_job_ends(call: Caller, name: str) -> None:
    job = call("train", {**LINE, "model_name": name, "training": {"epochs": 10**7}})
    assert call("cancel", job["id"])["status"] == "cancelled"
    with pytest.raises(JobFailed, match="cancelled"):
        call("wait", job["id"])


def test_an_invalid_spec_has_pointers(call: Caller) -> None:
    with pytest.raises(ApiError) as caught:
        call("train", {**LINE, "model_name": "a", "optimizer": {"name": "sdg"}})
    assert caught.value.code == "invalid_spec"
    assert [pointer for pointer, _ in caught.value.errors] == ["/optimizer/name"]

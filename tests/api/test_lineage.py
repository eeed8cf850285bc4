"""What a version comes from, and what comes from it."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.api.test_damage import flip
from tests.harness.server import Server

PLAIN: dict[str, Any] = {
    "model": {"kind": "linear_regression"},
    "loss": {"name": "MSELoss"},
    "split": None,
    "training": {"epochs": 0},
}
ZIP = {"Content-Type": "application/zip"}
CSV = "a,b,price\n" + "".join(f"{i},{i % 7},{3 * i + i % 7}\n" for i in range(40))


def lineage(http: httpx.Client, model: str, version: int | str = 1) -> dict[str, Any]:
    answer = http.get(f"/v1/models/{model}/versions/{version}/lineage")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def carry(http: httpx.Client, source: str, target: str) -> None:
    """Imports a version under another name."""
    bundle = http.get(f"/v1/models/{source}/versions/1/bundle").content
    http.post(f"/v1/models/{target}/versions", content=bundle, headers=ZIP).raise_for_status()


@pytest.fixture(scope="module")
def chain(http: httpx.Client) -> list[dict[str, Any]]:
    """Versions lineage-1@1, lineage-2@1 and lineage-3@1, each of which started from the one before, on a data set."""
    http.put("/v1/datasets/lineage", content=CSV, headers={"Content-Type": "text/csv"}).raise_for_status()
    data = {"kind": "dataset", "dataset": "lineage", "target": "price"}
    about = {"data": data, **PLAIN}
    jobs = [train(http, "lineage-1", **about)]
    for number in (2, 3):
        jobs.append(train(http, f"lineage-{number}", initial=f"lineage-{number - 1}@1", **about))
    return jobs


def test_a_version_is_followed_back_to_the_data(http: httpx.Client, chain: list[dict[str, Any]]) -> None:
    found, digests = lineage(http, "lineage-3"), [lineage(http, f"lineage-{n}")["digest"] for n in (1, 2, 3)]
    digest = http.get("/v1/datasets/lineage").json()["digest"]
    data = {"kind": "dataset", "dataset": "lineage", "version": 1, "digest": digest, "state": "kept"}
    assert found["data"] == data
    assert found["job"] == {"id": chain[2]["id"], "state": "kept"}
    assert found["initial"] == [
        {
            "name": f"lineage-{number}",
            "version": 1,
            "digest": digests[number - 1],
            "state": "kept",
            "data": data,
            "job": {"id": chain[number - 1]["id"], "state": "kept"},
        }
        for number in (2, 1)
    ]
    assert found["initial_complete"] is True
    first = lineage(http, "lineage-1", "latest")
    assert first["initial"] == []
    assert first["signed"] is False
    assert first["derived"] == [{"name": "lineage-2", "version": 1, "digest": digests[1], "state": "kept"}]


def test_exports_are_listed_once_they_were_made(http: httpx.Client, chain: list[dict[str, Any]]) -> None:
    stored = http.get("/v1/models/lineage-1/versions/1").json()["files"]["state_dict.safetensors"]
    kept = {"name": "safetensors", "digest": stored["sha256"], "bytes": stored["bytes"]}
    assert lineage(http, "lineage-1")["exports"] == [kept]
    made = http.get("/v1/models/lineage-1/versions/1/exports/state_dict", timeout=300)
    (_, export) = lineage(http, "lineage-1")["exports"]
    assert (export["name"], export["bytes"]) == ("state_dict", len(made.content))
    card = http.get("/v1/models/lineage-1/versions/1/card").text
    assert f"| Export state\\_dict | `{export['digest']}` | made |" in card


def test_an_imported_version_names_the_origin(http: httpx.Client, chain: list[dict[str, Any]]) -> None:
    """Here the names mean the same data, job and version, since the origin is this service."""
    carry(http, "lineage-2", "lineage-carried")
    found = lineage(http, "lineage-carried")
    assert (found["data"]["state"], found["job"]["state"]) == ("kept", "kept")
    assert [(each["name"], each["state"]) for each in found["initial"]] == [("lineage-1", "kept")]
    assert "lineage-carried" in [each["name"] for each in lineage(http, "lineage-1")["derived"]]


def test_what_was_deleted_is_shown_as_such(http: httpx.Client) -> None:
    http.put("/v1/datasets/gone", content=CSV, headers={"Content-Type": "text/csv"}).raise_for_status()
    data = {"kind": "dataset", "dataset": "gone", "target": "price"}
    about = {"data": data, **PLAIN}
    train(http, "gone-1", **about)
    train(http, "gone-2", initial="gone-1@1", **about)
    digest = lineage(http, "gone-1")["digest"]
    carry(http, "gone-2", "gone-carried")
    http.delete("/v1/models/gone-1").raise_for_status()
    http.delete("/v1/datasets/gone").raise_for_status()
    found = lineage(http, "gone-2")
    assert found["data"]["state"] == "deleted"
    missing = {"name": "gone-1", "version": 1, "digest": digest, "data": None, "job": None}
    assert found["initial"] == [{**missing, "state": "deleted"}]
    # Where it was imported, it is not known whether it was ever there.
    assert lineage(http, "gone-carried")["initial"] == [{**missing, "state": "elsewhere"}]
    # Another version of that name and number is not the ancestor.
    carry(http, "gone-2", "gone-1")
    assert [each["state"] for each in lineage(http, "gone-carried")["initial"]] == ["elsewhere"]
    assert "| Started from gone-1, version 1 |" in http.get("/v1/models/gone-2/versions/1/card").text


def test_data_in_the_spec_are_kept_with_the_version(http: httpx.Client, line: dict[str, Any]) -> None:
    data = lineage(http, "line")["data"]
    assert (data["kind"], data["dataset"], data["version"], data["state"]) == ("line", None, None, "kept")


def test_a_damaged_ancestor_is_shown_as_such(http: httpx.Client, server: Server, model: str) -> None:
    train(http, f"{model}-2", initial=f"{model}@1", training={"epochs": 0})
    (manifest,) = (server.home / "store" / "models" / model / "contents").glob("*/manifest.json")
    flip(manifest)
    found = lineage(http, f"{model}-2")
    assert [(each["state"], each["data"], each["job"]) for each in found["initial"]] == [("damaged", None, None)]
    answer = http.get(f"/v1/models/{model}/versions/1/lineage")
    assert (answer.status_code, answer.json()["code"]) == (503, "version_corrupt")

"""Trainings in folds over HTTP: metrics out of fold, one bag that answers, and what folds cannot do is refused."""

import random
from typing import Any

import httpx
import pytest

from tests.api.conftest import ended, train
from tests.api.test_bundles import ZIP, closed, opened
from tests.harness.until import until

PATH = "/v1/models/folded/versions/1"
MODEL = {"kind": "tabm", "width": 16, "members": 4}


def records(rows: int = 200) -> list[dict[str, Any]]:
    """Rows of two classes by a line, with some noise."""
    draw = random.Random(5)  # noqa: S311 - test data
    made = []
    for at in range(rows):
        x, z = draw.gauss(0, 1), draw.gauss(0, 1)
        made.append({"x": x, "z": z, "site": f"s{at % 4}", "y": "ab"[x + 0.3 * draw.gauss(0, 1) > z]})
    return made


def parts(**split: Any) -> dict[str, Any]:
    """The parts of a spec."""
    data = {"kind": "rows", "records": records(), "target": "y", "features": ["x", "z"]}
    settings = {"epochs": 8, "early_stopping": None}
    about = {"data": data, "model": MODEL, "loss": None, "optimizer": {"name": "AdamW", "lr": 0.02}}
    return {**about, "training": settings, "split": {"kind": "k_fold", **split}}


@pytest.fixture(scope="module")
def folded(http: httpx.Client) -> dict[str, Any]:
    """The manifest of a bag of three networks, and the job's last progress."""
    job = train(http, "folded", **parts(folds=3))
    manifest: dict[str, Any] = http.get(PATH).raise_for_status().json()
    return manifest | {"progress": job["progress"]}


def test_the_manifest_has_each_fold_and_the_spread(folded: dict[str, Any]) -> None:
    assert (
        folded["spec"]["split"] | {"folds": 3, "final": "bag", "stratify": "y", "test": 0.15} == folded["spec"]["split"]
    )
    assert [each["validation_rows"] for each in folded["folds"]["folds"]] == [57, 57, 56]
    assert [each["train_rows"] for each in folded["folds"]["folds"]] == [113, 113, 114]
    assert [each["epochs"] for each in folded["folds"]["folds"]] == [8, 8, 8]
    assert folded["training"]["epochs"] == 24 and folded["progress"]["fraction"] == 1
    accuracies = [each["metrics"]["accuracy"] for each in folded["folds"]["folds"]]
    assert folded["folds"]["metrics"]["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 3)
    assert min(accuracies) <= folded["metrics"]["validation"]["accuracy"] <= max(accuracies)
    assert folded["metrics"]["test"]["accuracy"] > 0.8
    assert {name: each["rows"] for name, each in folded["split"].items()} == {
        "train": 170,
        "validation": 170,
        "test": 30,
    }


def test_one_module_answers(http: httpx.Client, folded: dict[str, Any]) -> None:
    answer = http.post("/v1/models/folded/predictions", json={"instances": [{"x": 2, "z": -2}, {"x": -2, "z": 2}]})
    assert [each["label"] for each in answer.raise_for_status().json()["predictions"]] == ["b", "a"]
    listed = http.get(f"{PATH}/parameters").raise_for_status().json()
    assert listed["total"] == folded["parameters"]
    names = [each["name"] for each in listed["parameters"]]
    assert {name.split(".")[1] for name in names} == {"0", "1", "2"} and names[0].startswith("networks.0.")
    for name in ("torch_export", "onnx", "huggingface"):
        assert http.get(f"{PATH}/exports/{name}").status_code == 200


def test_the_card_says_how_it_was_judged(http: httpx.Client, folded: dict[str, Any]) -> None:
    text = http.get(f"{PATH}/card").text
    assert "## Folds" in text and "a bag of 3 networks that answer together" in text
    assert "24 of all networks together, 8 of one at most" in text and "divided into 3 folds" in text


def test_a_bundle_keeps_the_folds_and_is_checked(http: httpx.Client, folded: dict[str, Any]) -> None:
    members = opened(http.get(f"{PATH}/bundle").content)
    taken = http.post("/v1/models/folded-there/versions", content=closed(members), headers=ZIP)
    assert taken.status_code == 201, taken.text
    assert http.get("/v1/models/folded-there/versions/1").json()["folds"] == folded["folds"]
    members["manifest.json"]["folds"]["folds"][0]["train_rows"] = -1
    refused = http.post("/v1/models/folded-there/versions", content=closed(members), headers=ZIP)
    assert refused.status_code == 422 and "/folds/folds/0/train_rows" in refused.text


def test_the_network_of_all_rows_is_drawn_and_kept_without_a_validation_loss(http: httpx.Client) -> None:
    train(http, "refitted", **parts(folds=2, final="refit", test=0))
    path = "/v1/models/refitted/versions/1"
    manifest = http.get(path).raise_for_status().json()
    assert manifest["training"]["epochs"] == 3 * 8 and "test" not in manifest["metrics"]
    drawn = http.get(f"{path}/plots/learning_curve.json").raise_for_status().text
    assert "the networks of 2 folds one after another" in drawn
    bundle = http.get(f"{path}/bundle").content
    assert http.post("/v1/models/refitted-there/versions", content=bundle, headers=ZIP).status_code == 201
    series = http.get(f"/v1/training-jobs/{manifest['job']}/metrics").json()
    assert series["validation_loss"][16:] == [None] * 8 and None not in series["validation_loss"][:16]


@pytest.mark.parametrize(
    ("split", "pointer"),
    [
        ({"train": 0.5}, "/split/train"),
        ({"folds": 1}, "/split/folds"),
        ({"folds": 21}, "/split/folds"),
        ({"folds": 5, "group": "site"}, "/split/folds"),
        ({"group": "nowhere"}, "/split/group"),
        ({"kind": "folds"}, "/split/kind"),
        ({"kind": "holdout", "final": "bag"}, "/split/final"),
    ],
)
def test_folds_that_cannot_be_are_refused(http: httpx.Client, split: dict[str, Any], pointer: str) -> None:
    for path in ("/v1/training-jobs", "/v1/training-jobs/validate"):
        refused = http.post(path, json={"model_name": "refused", **parts(**split)})
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"][0]["pointer"] == pointer


def test_a_fold_without_a_class_fails_the_job_and_says_what_to_do(http: httpx.Client) -> None:
    about = parts(group="site", folds=4, test=0)
    for each in about["data"]["records"]:
        each["y"] = "a" if each["site"] == "s0" else "b"
    job = ended(http, http.post("/v1/training-jobs", json={"model_name": "lacking", **about}).json()["id"])
    assert (job["status"], job["error"]["code"]) == ("failed", "invalid_data")
    assert "no row of the class" in job["error"]["detail"] and "ask for fewer folds" in job["error"]["detail"]


def test_a_sweep_of_trainings_in_folds_compares_metrics_out_of_fold(http: httpx.Client) -> None:
    about = {"model_name": "swept-folds", **parts(folds=2, test=0), "method": "grid"}
    sweep = about | {"search": {"model.dropout": {"choice": [0.0, 0.2]}}}
    refused = http.post("/v1/sweeps", json=sweep)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/objective")
    refused = http.post("/v1/sweeps", json={**sweep, "search": {"effort": {"choice": ["low", "max"]}}})
    assert refused.status_code == 422 and "effort" in refused.text
    made = http.post("/v1/sweeps", json={**sweep, "objective": "validation.log_loss"}).raise_for_status().json()

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = http.get(f"/v1/sweeps/{made['id']}").json()
        return found if found["status"] in ("succeeded", "failed") else None

    found = until(look, 120)
    assert found["status"] == "succeeded", found
    best = min(found["trials"], key=lambda each: each["objective"])
    version = http.get("/v1/models/swept-folds/versions/1").json()
    assert version["metrics"]["validation"]["log_loss"] == pytest.approx(best["objective"])
    assert len(version["folds"]["folds"]) == 2


def test_answers_of_a_bag_are_explained(http: httpx.Client, folded: dict[str, Any]) -> None:
    asked = http.post("/v1/models/folded/versions/1:explain", json={"instances": [{"x": 2, "z": -2}]})
    assert asked.status_code == 200, asked.text

"""Explanations over HTTP: they add up, and what cannot be explained is refused with the reason."""

import base64
import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.api.keyed import KeyedServer
from tests.api.test_bundles import closed, opened
from tests.harness.pictures import picture, zip_of

ROWS: list[dict[str, Any]] = [
    {"size": 90, "colour": "red", "sold": "2024-05-01"},
    {"size": None, "colour": "pink", "sold": None},
]


def records(target: Callable[[float, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with every kind of column, and a target made from them."""
    draw, made = random.Random(1), []  # noqa: S311 - test data
    for at in range(120):
        size, colour = draw.uniform(40, 160), "red" if at % 3 else "blue"
        row = {"size": None if at % 17 == 5 else size, "colour": colour, "sold": f"2024-{at % 12 + 1:02d}-10"}
        made.append(row | target(size, colour))
    return made


@pytest.fixture(scope="module")
def houses(http: httpx.Client) -> str:
    """A regression."""
    data = {"kind": "rows", "target": "price", "records": records(lambda s, c: {"price": 3 * s + 50 * (c == "red")})}
    train(http, "reasons", data=data, model=None, loss=None, training={"epochs": 20})
    return "reasons"


@pytest.fixture(scope="module")
def kinds(http: httpx.Client) -> str:
    """A classification of three classes, one of them a number."""
    found = records(lambda s, c: {"kind": "small" if s < 80 else c})
    data = {"kind": "rows", "target": "kind", "records": found}
    train(http, "reasons-kinds", data=data, model=None, loss=None, training={"epochs": 20})
    return "reasons-kinds"


def explain(http: httpx.Client, name: str, body: Any, version: str = "") -> dict[str, Any]:
    """A successful explanation."""
    answer = http.post(f"/v1/models/{name}{version}:explain", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(http: httpx.Client, name: str, body: Any, status: int = 422) -> dict[str, Any]:
    """The problem document."""
    answer = http.post(f"/v1/models/{name}:explain", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_attributions_of_a_number_add_up_to_the_prediction(http: httpx.Client, houses: str) -> None:
    found = explain(http, houses, {"instances": ROWS})
    assert (found["model_name"], found["model_version"]) == (houses, 1)
    assert found["method"] == "integrated_gradients" and found["explained"] == ["price", "price"]
    predictions = http.post(f"/v1/models/{houses}/predictions", json={"instances": ROWS}).json()["predictions"]
    assert found["predictions"] == pytest.approx(predictions, rel=1e-5)
    base = found["baseline"]
    again = http.post(f"/v1/models/{houses}/predictions", json={"instances": [base["instance"]]}).json()["predictions"]
    assert again[0] == pytest.approx(base["prediction"], rel=1e-3), "the baseline is a row like any other"
    assert base["instance"]["colour"] == "red" and base["instance"]["sold"].startswith("2024-06")
    for each, prediction in zip(found["attributions"], predictions, strict=True):
        assert each.keys() == {"size", "colour", "sold"}
        assert sum(each.values()) == pytest.approx(prediction - base["prediction"], rel=0.011, abs=0.3)


def test_all_forms_of_rows_are_explained_alike(http: httpx.Client, houses: str) -> None:
    row, wanted = ROWS[0], explain(http, houses, {"instances": ROWS[:1]})
    columns = {name: [value] for name, value in row.items()}
    for body in (row, [row], {"instances": [list(row.values())]}, {"inputs": columns}):
        assert explain(http, houses, body) == wanted
    assert explain(http, houses, {"instances": ROWS[:1]}, "/versions/latest") == wanted
    assert explain(http, houses, {"instances": ROWS[:1], "target": "price"}) == wanted


def test_a_class_is_the_predicted_one_or_the_named_one(http: httpx.Client, kinds: str) -> None:
    found = explain(http, kinds, {"instances": ROWS})
    assert found["explained"] == [each["label"] for each in found["predictions"]]
    for label in ("small", "blue", "red"):
        found = explain(http, kinds, {"instances": ROWS, "class": label})
        assert found["explained"] == [label, label]
        start = found["baseline"]["prediction"]["probabilities"][label]
        for each, prediction in zip(found["attributions"], found["predictions"], strict=True):
            moved = prediction["probabilities"][label] - start
            assert sum(each.values()) == pytest.approx(moved, rel=0.011, abs=1.1e-3)


def test_several_targets_and_labels_are_explained_each(http: httpx.Client) -> None:
    found = records(lambda s, c: {"large": s > 90, "warm": c == "red"})
    data = {"kind": "rows", "target": ["large", "warm"], "records": found}
    train(http, "reasons-labels", data=data, model=None, loss=None, training={"epochs": 10})
    made = explain(http, "reasons-labels", {"instances": ROWS})
    assert made["explained"] == [["large", "warm"]] * 2
    for each, prediction in zip(made["attributions"], made["predictions"], strict=True):
        for label in ("large", "warm"):
            moved = prediction["probabilities"][label] - made["baseline"]["prediction"]["probabilities"][label]
            assert sum(each[label].values()) == pytest.approx(moved, rel=0.011, abs=1.1e-3)
    one = explain(http, "reasons-labels", {"instances": ROWS, "target": "warm"})
    assert one["explained"] == ["warm", "warm"]
    assert one["attributions"] == [each["warm"] for each in made["attributions"]]


def test_an_image_beside_a_number_has_one_figure(http: httpx.Client) -> None:
    rows = "".join(f"{at}.png,{at / 10},{at * 1.5}\n" for at in range(12))
    files = {"metadata.csv": "file_name,age,score\n" + rows} | {f"{at}.png": picture(at) for at in range(12)}
    made = http.put("/v1/datasets/reasons", content=zip_of(files), headers={"Content-Type": "application/zip"})
    assert made.status_code == 201, made.text
    features = {"image": {"type": "image", "size": 8}, "age": {"type": "number"}}
    data = {"kind": "dataset", "dataset": "reasons", "target": "score", "features": features}
    train(http, "reasons-image", data=data, model={"kind": "fusion"}, loss=None, training={"epochs": 2})
    photo = {"b64": base64.b64encode(picture(3)).decode()}
    found = explain(http, "reasons-image", {"instances": [{"image": photo, "age": 0.5}, {"image": None, "age": 2}]})
    assert found["method"] == "integrated_gradients"
    assert found["baseline"]["instance"] == {"image": None, "age": pytest.approx(0.55, abs=0.2)}
    for each, prediction in zip(found["attributions"], found["predictions"], strict=True):
        assert sum(each.values()) == pytest.approx(prediction - found["baseline"]["prediction"], rel=0.011, abs=0.01)


def test_a_text_is_explained_by_sampling(http: httpx.Client) -> None:
    found = [{"text": "good" if at % 2 else "bad", "age": at % 5, "y": 3 * (at % 2) + at % 5} for at in range(60)]
    features = {"text": {"type": "text"}, "age": {"type": "number"}}
    data = {"kind": "rows", "target": "y", "records": found, "features": features, "task": "regression"}
    train(http, "reasons-text", data=data, model=None, loss=None, training={"epochs": 2})
    made = explain(http, "reasons-text", {"instances": [{"text": "good", "age": 1}, {"text": "bad", "age": 4}]})
    assert made["method"] == "sampling_shapley"
    for each, prediction in zip(made["attributions"], made["predictions"], strict=True):
        assert each.keys() == {"text", "age"}
        assert sum(each.values()) == pytest.approx(prediction - made["baseline"]["prediction"], abs=1e-4)


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"instances": [{"size": "large", "colour": "red", "sold": None}]}, "/instances/0/size", "expected a number"),
        ({"instances": [[1, "red"]]}, "/instances/0", "has 2 values; the model takes 3"),
        ({"instances": []}, "/instances", "at least one row"),
        ({"instances": ROWS * 51}, "", "has 102 rows; at most 100"),
        ({"inputs": {"size": [1] * 101, "colour": ["red"] * 101, "sold": [None] * 101}}, "", "has 101 rows"),
        ({"instances": ROWS, "class": "red"}, "/class", "is for another kind of model"),
        ({"instances": ROWS, "target": "prize"}, "/target", "did you mean 'price'"),
        ({"instances": ROWS, "target": ["price"]}, "/target", "is no target"),
        ({"instances": ROWS, "targets": "price"}, "/targets", "unknown field"),
        ({"class": "red"}, "/class", "is no input"),
        (7, "", "expected an object"),
        ("rows", "", "expected an object"),
    ],
)
def test_invalid_bodies_are_refused(http: httpx.Client, houses: str, body: Any, pointer: str, words: str) -> None:
    problem = refused(http, houses, body)
    assert problem["code"] == "invalid_instances"
    faults = {each["pointer"]: each["message"] for each in problem["errors"]}
    assert words in faults[pointer]


def test_invalid_classes_are_refused(http: httpx.Client, kinds: str) -> None:
    problem = refused(http, kinds, {"instances": ROWS, "class": "rid"})
    assert problem["errors"] == [
        {"pointer": "/class", "message": "is no class of this model; did you mean 'red'? known: blue, red, small"}
    ]
    assert refused(http, kinds, {"instances": ROWS, "target": "kind"})["errors"][0]["pointer"] == "/target"
    wrong: list[Any] = [None, {}, [1], 1e300, True]
    for value in wrong:
        assert refused(http, kinds, {"instances": ROWS, "class": value})["errors"][0]["pointer"] == "/class"


def test_other_requests_are_refused(http: httpx.Client, houses: str) -> None:
    assert refused(http, "nobody", {"instances": ROWS}, 404)["code"] == "model_not_found"
    address = f"/v1/models/{houses}:explain"
    assert http.post(f"/v1/models/{houses}/versions/9:explain", json={"instances": ROWS}).status_code == 404
    assert (
        http.post(address, content=b"{", headers={"Content-Type": "application/json"}).json()["code"] == "invalid_json"
    )
    assert http.post(address, content=b"a,b\n1,2\n", headers={"Content-Type": "text/csv"}).status_code == 415
    assert http.get(address).status_code == 405
    late = http.post(address, json={"instances": ROWS}, headers={"Request-Timeout": "0"})
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
    assert http.post(address, json={"instances": ROWS}, headers={"Request-Timeout": "soon"}).status_code == 422


def test_it_needs_the_scope_predict(keyed: KeyedServer) -> None:
    body = {"instances": [[0.5]]}
    with keyed.as_("predict") as http:
        assert http.post("/v1/models/line:explain", json=body).status_code == 200
        assert http.post("/v1/models/line/versions/1:explain", json=body).status_code == 200
    with keyed.as_("revoked") as http:
        assert http.post("/v1/models/line:explain", json=body).status_code == 401


def test_a_bundle_keeps_the_baseline_and_is_checked(http: httpx.Client, houses: str) -> None:
    members = opened(http.get(f"/v1/models/{houses}/versions/1/bundle").content)
    wanted = members["manifest.json"]["baseline"]
    assert wanted["size"] == pytest.approx(100, abs=15) and wanted["colour"] == "red"
    for name, value in (("size", "x"), ("colour", "violet"), ("colour", 1.5), ("sold", 1e300), ("other", 1.0)):
        members["manifest.json"]["baseline"] = wanted | {name: value}
        answer = http.post(
            "/v1/models/reasons-again/versions",
            content=closed(members),
            headers={"Content-Type": "application/zip"},
        )
        assert answer.status_code == 422 and f"/baseline/{name}" in answer.text, answer.text
    del members["manifest.json"]["baseline"]  # as versions from before it was recorded
    headers = {"Content-Type": "application/zip"}
    assert http.post("/v1/models/reasons-before/versions", content=closed(members), headers=headers).status_code == 201
    found = explain(http, "reasons-before", {"instances": ROWS})
    assert found["baseline"]["instance"] == {"size": None, "colour": None, "sold": None}
    start = found["baseline"]["prediction"]
    for each, prediction in zip(found["attributions"], found["predictions"], strict=True):
        assert sum(each.values()) == pytest.approx(prediction - start, rel=0.011, abs=0.3)

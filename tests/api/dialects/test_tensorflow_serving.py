"""`:predict` of TensorFlow Serving and of KServe's first version over HTTP."""

import base64
import json
from typing import Any

import httpx
import numpy as np
import pytest

ROWS = [[1.0, 0.5], [2.0, 1.0], [7.0, 2.0]]
OBJECTS = [dict(zip("ab", row, strict=True)) for row in ROWS]


def predict(http: httpx.Client, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """The response body."""
    answer = http.post(f"/v1/models/{model}:predict", json=body)
    assert answer.status_code == 200, answer.text
    predicted: dict[str, Any] = answer.json()
    return predicted


def native_predictions(http: httpx.Client, model: str, instances: list[Any]) -> list[Any]:
    """The predictions of the native API."""
    predictions: list[Any] = http.post(f"/v1/models/{model}/predictions", json={"instances": instances}).json()[
        "predictions"
    ]
    return predictions


@pytest.mark.parametrize(
    "instances", [[[0.5], [0.9]], [0.5, 0.9], [{"x": 0.5}, {"x": 0.9}], [{"x": [0.5]}, {"x": [0.9]}]]
)
def test_rows_of_one_input(http: httpx.Client, models: dict[str, str], instances: list[Any]) -> None:
    predicted = predict(http, "line", {"signature_name": "serving_default", "instances": instances})
    assert predicted == {"predictions": native_predictions(http, "line", [[0.5], [0.9]])}


def test_rows_of_several_inputs_and_outputs(http: httpx.Client, models: dict[str, str]) -> None:
    wanted = [dict(zip("yz", each, strict=True)) for each in native_predictions(http, models["two"], ROWS)]
    for instances in (ROWS, OBJECTS):
        assert predict(http, models["two"], {"instances": instances}) == {"predictions": wanted}


def test_column_requests_get_column_answers(http: httpx.Client, models: dict[str, str]) -> None:
    wanted = native_predictions(http, models["two"], ROWS)
    columns: dict[str, list[Any]] = {"a": [row[0] for row in ROWS], "b": [[row[1]] for row in ROWS]}
    predicted = predict(http, models["two"], {"inputs": columns})
    assert predicted["outputs"] == {"y": [each[0] for each in wanted], "z": [each[1] for each in wanted]}
    one = predict(http, "line", {"inputs": {"x": [0.5, 0.9]}})
    assert one["outputs"] == native_predictions(http, "line", [[0.5], [0.9]])


def test_inputs_of_kserve_are_rows(http: httpx.Client, models: dict[str, str]) -> None:
    assert predict(http, "line", {"inputs": [[0.5], [0.9]]})["predictions"] == native_predictions(
        http, "line", [[0.5], [0.9]]
    )


def test_classes_and_bytes(http: httpx.Client, models: dict[str, str]) -> None:
    predicted, wanted = (
        predict(http, models["texts"], {"instances": ROWS})["predictions"],
        native_predictions(http, models["texts"], ROWS),
    )
    assert [each["label"] for each in predicted] == [each["label"] for each in wanted]
    for each, right in zip(predicted, wanted, strict=True):
        exact = np.array(list(right["probabilities"].values()), np.float32)
        assert np.array_equal(np.array(each["probabilities"], np.float32), exact)
    left = {"b64": base64.b64encode(b"left").decode()}
    for instances in ([[left, True]], [{"a": left, "b": True}], [{"a": [left], "b": [True]}]):
        assert predict(http, models["mixed"], {"instances": instances})["predictions"] == native_predictions(
            http, models["mixed"], [["left", True]]
        )


def test_many_rows(http: httpx.Client, models: dict[str, str]) -> None:
    rows = np.random.default_rng(0).standard_normal((500, 2)).round(3).tolist()
    wanted = native_predictions(http, models["two"], rows)
    for instances in (rows, [{"b": row[1], "a": row[0]} for row in rows]):
        predicted = predict(http, models["two"], {"instances": instances})["predictions"]
        assert np.allclose([[each["y"], each["z"]] for each in predicted], wanted, rtol=1e-5)


def test_versions_and_labels(http: httpx.Client, model: str) -> None:
    http.put(f"/v1/models/{model}/aliases/blue", json={"version": 1})
    for path in ("", "/versions/1", "/labels/blue", "/versions/blue"):
        answer = http.post(f"/v1/models/{model}{path}:predict", json={"instances": [0.5]})
        assert answer.status_code == 200 and answer.headers["Model-Version"] == "1"
    status = http.get(f"/v1/models/{model}/labels/blue").json()["model_version_status"]
    assert status == [{"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]
    about = http.get(f"/v1/models/{model}").json()
    assert about["model_version_status"] == status and about["ready"] is True
    for path in ("/versions/2", "/labels/green", "/labels/1"):
        for answer in (
            http.post(f"/v1/models/{model}{path}:predict", json={"instances": [0.5]}),
            http.get(f"/v1/models/{model}{path}/metadata"),
        ):
            assert answer.status_code in (404, 405) and list(answer.json()) == ["error"], (path, answer.text)


def test_metadata(http: httpx.Client, models: dict[str, str]) -> None:
    for path in ("/metadata", "/versions/1/metadata", "/labels/latest/metadata"):
        predicted = http.get(f"/v1/models/{models['mixed']}{path}").json()
        assert predicted["model_spec"] == {"name": models["mixed"], "signature_name": "", "version": "1"}
        signature = predicted["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert {name: each["dtype"] for name, each in signature["inputs"].items()} == {"a": "DT_STRING", "b": "DT_BOOL"}
        assert signature["outputs"]["y"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]


@pytest.mark.parametrize(
    "body",
    [
        [],
        1,
        {},
        {"instances": []},
        {"instances": 1},
        {"instances": [[1]]},
        {"instances": ROWS, "inputs": {"a": [1], "b": [1]}},
        {"instances": ROWS, "signature_name": "other"},
        {"instances": ROWS, "signature_name": []},
        {"instances": ROWS, "examples": []},
        {"inputs": {"a": [1, 2], "b": [1]}},
        {"inputs": {"a": [[1, 2]], "b": [1]}},
        {"inputs": 3},
        {"inputs": {"a": [1]}},
        {"instances": [[{"b64": "é"}, 1]]},
        {"instances": [[{"b64": 1}, 1]]},
        {"instances": [[{"b64": "/w=="}, 1]]},
        {"instances": [[[[1]], 1]]},
        {"instances": [ROWS] * 200},
        {"instances": ROWS * 200, "more": 1},
    ],
    ids=lambda each: json.dumps(each)[:50],
)
def test_inconsistent_requests_are_refused(http: httpx.Client, models: dict[str, str], body: Any) -> None:
    answer = http.post(f"/v1/models/{models['two']}:predict", json=body)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["error"] and isinstance(answer.json()["error"], str)


def test_errors_have_the_form_of_this_protocol(http: httpx.Client, line: dict[str, Any]) -> None:
    for answer, status in (
        (http.post("/v1/models/nobody:predict", json={"instances": [1]}), 404),
        (http.post("/v1/models/line:predict", content=b"x", headers={"Content-Type": "text/plain"}), 415),
        (http.post("/v1/models/line:predict", content=b'{"instances":[NaN]}'), 400),
        (http.get("/v1/models/nobody/metadata"), 404),
    ):
        assert answer.status_code == status
        assert list(answer.json()) == ["error"]
    # Errors shared with the native API have its messages.
    assert http.get("/v1/models/line/aliases/metadata").json()["code"] == "version_not_found"

"""Unmodified clients of other servers, from PyPI, get the same predictions as the native API returns."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.clients.conftest import FLOWERS, SHOPS
from tests.clients.environments import run


def native_predictions(http: httpx.Client, model: str, instances: list[Any]) -> list[Any]:
    """The predictions of the native API."""
    answer = http.post(f"/v1/models/{model}/predictions", json={"instances": instances})
    assert answer.status_code == 200, answer.text
    predictions: list[Any] = answer.json()["predictions"]
    return predictions


def same(got: Any, wanted: Any) -> bool:
    """Equal but for the last bits: the rows may have shared a batch with others."""
    return np.asarray(got).shape == np.asarray(wanted).shape and bool(np.allclose(got, wanted, rtol=1e-5))


@pytest.fixture(scope="session")
def triton(http: httpx.Client) -> Any:
    """The results of Triton's client."""
    return run("triton", str(http.base_url).removeprefix("http://"), json.dumps([FLOWERS, SHOPS]))


@pytest.fixture(scope="session")
def kserve(http: httpx.Client) -> Any:
    """The results of KServe's client."""
    return run("kserve", str(http.base_url), json.dumps(FLOWERS))


def test_triton_finds_the_server_and_its_models(triton: Any) -> None:
    assert triton["live"] is True and triton["ready"] is True
    assert triton["model_ready"] == [True, True, False]
    assert triton["server"]["name"] == "modelwright" and "binary_tensor_data" in triton["server"]["extensions"]
    assert {"name": "line", "version": "1", "state": "READY", "reason": ""} in triton["index"]
    assert triton["config"]["input"] == [{"name": "input-0", "data_type": "TYPE_FP32", "dims": [-1, 4]}]


def test_triton_predicts_numbers_in_bytes_and_in_json(triton: Any, http: httpx.Client) -> None:
    wanted = native_predictions(http, "line", [[0.5], [0.9]])
    for got in (*triton["line"], *triton["line compressed"], triton["line again"]):
        assert same(got, wanted)


def test_triton_predicts_classes(triton: Any, http: httpx.Client) -> None:
    label, probabilities = triton["iris"]
    wanted = native_predictions(http, "iris", FLOWERS)
    assert label == [each["label"] for each in wanted]
    assert same(probabilities, [list(each["probabilities"].values()) for each in wanted])
    assert triton["answer"] == {"model_name": "iris", "model_version": "1", "id": "abc"}
    assert triton["statistics"]["inference_stats"]["success"]["count"] >= 1
    assert triton["statistics"]["inference_count"] >= 2


def test_triton_predicts_from_texts_booleans_and_times(triton: Any, http: httpx.Client) -> None:
    wanted = native_predictions(http, "shops", SHOPS)
    for sales, staff in triton["shops"]:
        assert same(list(zip(sales, staff, strict=True)), wanted)


def test_triton_shows_error_messages(triton: Any) -> None:
    (missing, nobody), (wrong, shape), (unknown, output) = triton["refused"]
    assert missing == "404" and "nobody" in nobody
    assert wrong == "400" and "[rows, 1] is expected" in shape
    assert unknown == "400" and "'z' is no output" in output


@pytest.mark.parametrize("form", ["binary", "json"])
def test_kserve_predicts_by_the_open_inference_protocol(kserve: Any, http: httpx.Client, form: str) -> None:
    got, wanted = kserve[form], native_predictions(http, "iris", FLOWERS)
    assert got["live"] is True and got["ready"] is True and got["model_ready"] == [True, False]
    assert got["answer"] == ["iris", "abc"]  # it drops the version
    assert got["label"] == [each["label"] for each in wanted]
    assert same(got["probabilities"], [list(each["probabilities"].values()) for each in wanted])
    assert "400" in got["refused"] and "at least one tensor" in got["refused"]


def test_kserve_predicts_by_its_first_protocol(kserve: Any, http: httpx.Client) -> None:
    got, wanted = kserve["v1"], native_predictions(http, "iris", FLOWERS)
    assert got["ready"] is True
    for form in ("instances", "inputs"):
        predictions = got[form]["predictions"]
        assert [each["label"] for each in predictions] == [each["label"] for each in wanted]
        assert same(
            [each["probabilities"] for each in predictions], [list(each["probabilities"].values()) for each in wanted]
        )
    assert "400" in got["refused"] and "the model takes 4" in got["refused"]

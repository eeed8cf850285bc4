"""Parameters, and rows of tensors, over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from safetensors.torch import load

from service.use_cases.attempt_store import STATE_DICT
from tests.api.conftest import train
from tests.harness.server import Server

NETWORK = {
    "data": {"kind": "rows", "records": [{"a": i, "b": i % 3, "y": i * 0.5} for i in range(30)], "target": "y"},
    "model": {"kind": "mlp", "hidden": [6], "normalization": "BatchNorm1d"},
    "loss": {"name": "MSELoss"},
}
ZIP = {"Content-Type": "application/zip"}
STATISTICS = ("mean", "std", "min", "max")


@pytest.fixture(scope="module")
def network(http: httpx.Client) -> str:
    """The address of a version with parameters, buffers and a tensor that is a single value."""
    train(http, "network", **NETWORK)
    return "/v1/models/network/versions/1"


def content(server: Server, name: str) -> Path:
    """The folder of the only content of a model."""
    (found,) = (server.home / "store/models" / name / "contents").iterdir()
    return found


def bare(parameters: dict[str, Any]) -> dict[str, Any]:
    """Without statistics."""
    listed = [{key: each[key] for key in each if key not in STATISTICS} for each in parameters["parameters"]]
    return {**parameters, "parameters": listed}


def test_a_list_without_statistics(http: httpx.Client, network: str) -> None:
    whole = http.get(f"{network}/parameters").json()
    assert all(isinstance(each[name], float) for each in whole["parameters"] for name in STATISTICS)
    answer = http.get(f"{network}/parameters?statistics=false")
    assert answer.status_code == 200
    assert answer.json() == bare(whole) != whole
    refused = http.get(f"{network}/parameters?statistics=perhaps")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_a_version_without_summary_gets_it_in_a_child(http: httpx.Client, server: Server, network: str) -> None:
    whole = http.get(f"{network}/parameters").json()
    summary = content(server, "network") / "summaries/tensors"
    kept = summary.read_bytes()
    summary.unlink()
    assert http.get(f"{network}/parameters?statistics=false").json() == bare(whole)
    assert not summary.exists()
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: http.get(f"{network}/parameters"), range(3)))
    assert [each.json() for each in answers] == [whole] * 3
    assert summary.read_bytes() == kept
    summary.write_bytes(kept[:-1])  # a damaged one is computed again
    assert http.get(f"{network}/parameters").json() == whole
    assert summary.read_bytes() == kept


def test_an_imported_version_has_the_same_summary_and_bundle(http: httpx.Client, server: Server, network: str) -> None:
    bundle = http.get(f"{network}/bundle").content
    http.post("/v1/models/network-copy/versions", content=bundle, headers=ZIP).raise_for_status()
    ours, theirs = (content(server, name) / "summaries/tensors" for name in ("network", "network-copy"))
    assert ours.exists() and theirs.exists()
    assert http.get("/v1/models/network-copy/versions/1/bundle").content == bundle
    copy = http.get("/v1/models/network-copy/versions/1/parameters").json()
    assert copy == http.get(f"{network}/parameters").json()


def test_rows_of_a_tensor(http: httpx.Client, network: str) -> None:
    whole = http.get(f"{network}/state_dict").json()
    name = next(name for name in whole if name.endswith("weight"))
    for rows, expected in (("0:2", whole[name][:2]), ("5:6", whole[name][5:]), ("3:3", [])):
        query = {"name": name, "rows": rows}
        assert http.get(f"{network}/state_dict", params=query).json() == {name: expected}
        file = http.get(f"{network}/state_dict", params=query, headers={"Accept": "application/x-safetensors"})
        assert file.headers["Content-Type"] == "application/x-safetensors"
        assert load(file.content)[name].tolist() == torch.tensor(expected).tolist()


def test_a_tensor_with_a_single_value_is_shown(http: httpx.Client, network: str) -> None:
    whole = http.get(f"{network}/state_dict").json()
    name = next(name for name, value in whole.items() if isinstance(value, int))
    assert name.endswith("num_batches_tracked") and whole[name] > 0


@pytest.mark.parametrize(
    ("query", "pointer", "message"),
    [
        ("rows=0:1", "/query/name", "the name of one tensor"),
        ("name=W&name=B&rows=0:1", "/query/name", "the name of one tensor"),
        *(
            (f"name=W&rows={rows}", "/query/rows", "two whole numbers: `0:10`")
            for rows in (
                "",
                "0",
                ":",
                "0:",
                ":1",
                "-1:1",
                "0:-1",
                "0:1:1",
                "0.0:1",
                "a:b",
                "0:1 ",
                "%D9%A0:1",
                "0:" + "9" * 19,
            )
        ),
        ("name=W&rows=0:7", None, "has 6 rows; expected two numbers from 0 to 6"),
        ("name=W&rows=2:1", None, "expected two numbers from 0 to 6"),
        (f"name=W&rows=0:{'9' * 18}", None, "expected two numbers from 0 to 6"),
        ("name=S&rows=0:1", None, "a single value"),
    ],
)
def test_wrong_rows_are_refused_with_what_is_right(
    http: httpx.Client, network: str, query: str, pointer: str | None, message: str
) -> None:
    names = list(http.get(f"{network}/state_dict").json())
    weight, single = (next(name for name in names if name.endswith(end)) for end in ("weight", "num_batches_tracked"))
    bias = next(name for name in names if name.endswith("bias"))
    for letter, name in (("W", weight), ("B", bias), ("S", single)):
        query = query.replace(f"name={letter}", f"name={name}")
    answer = http.get(f"{network}/state_dict?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert message in answer.json()["detail"]
    if pointer is not None:
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_rows_of_an_unknown_tensor(http: httpx.Client, network: str) -> None:
    answer = http.get(f"{network}/state_dict?name=wieght&rows=0:1")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_available")


def test_a_damaged_header_is_reported(http: httpx.Client, server: Server, model: str) -> None:
    digest = http.get(f"/v1/models/{model}/versions/1").json()["files"][STATE_DICT]["sha256"]
    path = server.home / "store/blobs" / digest
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole.replace(b'"bias"', b'"bios"'))
    for address in ("parameters", "parameters?statistics=false", "state_dict?name=weight&rows=0:1", "state_dict"):
        answer = http.get(f"/v1/models/{model}/versions/1/{address}")
        assert (answer.status_code, answer.json()["code"]) == (503, "version_corrupt"), address
    path.write_bytes(whole)
    assert http.get(f"/v1/models/{model}/versions/1/parameters").status_code == 200

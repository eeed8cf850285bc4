"""The Open Inference Protocol over HTTP."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.harness.server import Server

ROWS = [[1.0, 0.5], [2.0, 1.0], [7.0, 2.0]]
LENGTH = "Inference-Header-Content-Length"


def matrix(rows: list[list[float]], **more: Any) -> dict[str, Any]:
    """A request with one tensor."""
    data = [value for row in rows for value in row]
    return {
        "inputs": [{"name": "input-0", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": data}],
        **more,
    }


def binary(document: dict[str, Any], *tensors: bytes) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request whose tensors follow its JSON."""
    for each, body in zip(document["inputs"], tensors, strict=True):
        each.pop("data", None)
        each["parameters"] = {"binary_data_size": len(body)}
    head = json.dumps(document).encode()
    return head + b"".join(tensors), {LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}


def infer(http: httpx.Client, model: str, document: dict[str, Any]) -> dict[str, Any]:
    """The response, with its outputs by name."""
    answer = http.post(f"/v2/models/{model}/infer", json=document)
    assert answer.status_code == 200, answer.text
    reply: dict[str, Any] = answer.json()
    return reply | {"outputs": {each["name"]: each for each in reply["outputs"]}}


def native_predictions(http: httpx.Client, model: str, instances: list[Any]) -> list[Any]:
    """The predictions of the native API."""
    answer = http.post(f"/v1/models/{model}/predictions", json={"instances": instances})
    predictions: list[Any] = answer.json()["predictions"]
    return predictions


def same(got: Any, wanted: Any) -> bool:
    """Whether the numbers are equal as float32, however they were written."""
    return np.array_equal(np.asarray(got, np.float32), np.asarray(wanted, np.float32))


def test_server_metadata(http: httpx.Client) -> None:
    for path in ("/v2", "/v2/"):
        reply = http.get(path).json()
        assert reply["name"] == "modelwright" and reply["version"] and "binary_tensor_data" in reply["extensions"]
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}
    assert http.head("/v2/health/ready").status_code == 200


def test_numbers(http: httpx.Client, models: dict[str, str]) -> None:
    reply = infer(http, models["two"], matrix(ROWS, id="seven"))
    assert (reply["model_name"], reply["model_version"], reply["id"]) == ("dialect-two", "1", "seven")
    wanted = native_predictions(http, models["two"], ROWS)
    for at, name in enumerate(("y", "z")):
        output = reply["outputs"][name]
        assert (output["datatype"], output["shape"]) == ("FP32", [3])
        assert output["data"] == [each[at] for each in wanted]
    assert "id" not in infer(http, models["two"], matrix(ROWS))


@pytest.mark.parametrize(("kind", "datatype"), [("texts", "BYTES"), ("integers", "INT64"), ("truths", "BOOL")])
def test_classes(http: httpx.Client, models: dict[str, str], kind: str, datatype: str) -> None:
    reply, wanted = infer(http, models[kind], matrix(ROWS)), native_predictions(http, models[kind], ROWS)
    label, probabilities = reply["outputs"]["label"], reply["outputs"]["probabilities"]
    assert (label["datatype"], label["shape"]) == (datatype, [3])
    assert label["data"] == [each["label"] for each in wanted]
    classes = list(wanted[0]["probabilities"])
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP32", [3, len(classes)])
    assert same(probabilities["data"], [p for each in wanted for p in each["probabilities"].values()])
    metadata = http.get(f"/v2/models/{models[kind]}").json()
    assert json.loads(metadata["properties"]["probabilities"]) == classes


def test_labels(http: httpx.Client, models: dict[str, str]) -> None:
    reply, wanted = infer(http, models["labels"], matrix(ROWS)), native_predictions(http, models["labels"], ROWS)
    held = reply["outputs"]["labels"]
    assert (held["datatype"], held["shape"]) == ("BOOL", [3, 2])
    assert held["data"] == [name in each["labels"] for each in wanted for name in ("y", "z")]


def test_nested_or_flat_and_by_column(http: httpx.Client, models: dict[str, str]) -> None:
    wanted = infer(http, models["two"], matrix(ROWS))
    nested = matrix(ROWS)
    nested["inputs"][0]["data"] = ROWS
    columns = [
        {"name": "b", "shape": [3, 1], "datatype": "FP64", "data": [[row[1]] for row in ROWS]},
        {"name": "a", "shape": [3], "datatype": "INT16", "data": [1, 2, 7]},
    ]
    for document in (nested, {"inputs": columns, "model_name": "ignored", "parameters": {"anything": 1}}):
        assert infer(http, models["two"], document)["outputs"] == wanted["outputs"]


def test_texts_and_booleans(http: httpx.Client, models: dict[str, str]) -> None:
    given: list[Any] = [["left", True], ["right", False], ["never seen", True]]
    document: dict[str, Any] = {
        "inputs": [
            {"name": "a", "shape": [3, 1], "datatype": "BYTES", "data": [row[0] for row in given]},
            {"name": "b", "shape": [3, 1], "datatype": "BOOL", "data": [row[1] for row in given]},
        ]
    }
    answer = http.post(f"/v2/models/{models['mixed']}/infer", json=document)
    assert answer.json()["outputs"][0]["data"] == native_predictions(http, models["mixed"], given)
    assert answer.headers["Unknown-Categories"] == "1"
    texts = b"".join(len(row[0]).to_bytes(4, "little") + row[0].encode() for row in given)
    body, headers = binary(document, texts, bytes(row[1] for row in given))
    again = http.post(f"/v2/models/{models['mixed']}/infer", content=body, headers=headers)
    assert again.json() == answer.json()
    reply = http.get(f"/v2/models/{models['mixed']}").json()["inputs"]
    assert [(each["name"], each["datatype"], each["shape"]) for each in reply] == [
        ("a", "BYTES", [-1, 1]),
        ("b", "BOOL", [-1, 1]),
    ]


def test_bytes_in_and_out(http: httpx.Client, models: dict[str, str]) -> None:
    values, wanted = np.array(ROWS, np.float32), infer(http, models["texts"], matrix(ROWS))["outputs"]
    for datatype, sent in (
        ("FP32", values.tobytes()),
        ("FP64", values.astype("<f8").tobytes()),
        ("FP16", values.astype("<f2").tobytes()),
        ("BF16", (values.view("<u4") >> 16).astype("<u2").tobytes()),
    ):
        document = matrix(ROWS, parameters={"binary_data_output": True})
        document["inputs"][0]["datatype"] = datatype
        body, headers = binary(document, sent)
        answer = http.post(f"/v2/models/{models['texts']}/infer", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/octet-stream"
        end = int(answer.headers[LENGTH])
        label, probabilities = json.loads(answer.content[:end])["outputs"]
        assert "data" not in label and "data" not in probabilities
        cut = end + label["parameters"]["binary_data_size"]
        assert cut + probabilities["parameters"]["binary_data_size"] == len(answer.content)
        assert same(np.frombuffer(answer.content[cut:], "<f4"), wanted["probabilities"]["data"])
        first = wanted["label"]["data"][0].encode()
        assert answer.content[end:].startswith(len(first).to_bytes(4, "little") + first)


def test_outputs_as_the_request_selects_them(http: httpx.Client, models: dict[str, str]) -> None:
    outputs = [{"name": "label"}, {"name": "probabilities", "parameters": {"binary_data": True}}]
    answer = http.post(f"/v2/models/{models['texts']}/infer", json=matrix(ROWS, outputs=outputs))
    head = json.loads(answer.content[: int(answer.headers[LENGTH])])["outputs"]
    assert "data" in head[0] and head[1]["parameters"] == {"binary_data_size": 3 * 2 * 4}
    only = matrix(ROWS, outputs=[{"name": "label", "parameters": {"binary_data": False}}])
    only["parameters"] = {"binary_data_output": True}
    assert list(infer(http, models["texts"], only)["outputs"]) == ["label"]


def test_a_raw_binary_body(http: httpx.Client, models: dict[str, str]) -> None:
    body = np.array(ROWS, np.float32).tobytes()
    answer = http.post(f"/v2/models/{models['two']}/infer", content=body, headers={LENGTH: "0"})
    head = json.loads(answer.content[: int(answer.headers[LENGTH])])["outputs"]
    assert [each["shape"] for each in head] == [[3], [3]]
    for wrong in (body[:-1], b"", body + b"1234"):
        assert refused(http, models["two"], wrong, {LENGTH: "0"}).status_code == 400
    assert refused(http, models["mixed"], body, {LENGTH: "0"}).status_code == 400


def test_versions_are_digits_and_aliases_are_an_extension(http: httpx.Client, model: str) -> None:
    http.put(f"/v1/models/{model}/aliases/blue", json={"version": 1})
    document = matrix([[0.5]])
    for version in ("1", "latest", "blue"):
        path = f"/v2/models/{model}/versions/{version}"
        assert http.post(f"{path}/infer", json=document).json()["model_version"] == "1"
        assert http.get(path).json()["versions"] == ["1"]
        assert http.get(f"{path}/ready").json() == {"name": model, "ready": True}
    for path in ("/versions/2", "/versions/green", "/versions/2/ready", "/versions/2/config", "/versions/2/stats"):
        answer = http.get(f"/v2/models/{model}{path}")
        assert answer.status_code == 404 and list(answer.json()) == ["error"]
    assert http.post(f"/v2/models/{model}/versions/2/infer", json=document).status_code == 404


def test_the_repository(http: httpx.Client, model: str) -> None:
    entry = {"name": model, "version": "1", "state": "READY", "reason": ""}
    for body in (b"", b"{}", b'{"ready":true}'):
        assert entry in http.post("/v2/repository/index", content=body).json()
    assert model in http.get("/v2/models").json()["models"]
    infer(http, model, matrix([[0.5]]))

    def loads() -> float:
        text = http.get("/metrics").text
        return float(text.split("\nmodelwright_warm_model_loads_total ")[1].split("\n")[0])

    def act(what: str) -> None:
        answer = http.post(f"/v2/repository/models/{model}/{what}", json={})
        assert (answer.status_code, answer.content) == (200, b"")

    before = loads()
    act("unload")
    act("unload")  # already unloaded
    assert http.get(f"/v2/models/{model}/ready").status_code == 200
    act("load")
    infer(http, model, matrix([[0.5]]))
    assert loads() == before + 1
    for path in ("nobody/load", "nobody/unload"):
        assert http.post(f"/v2/repository/models/{path}").status_code == 404
    over = http.post(f"/v2/repository/models/{model}/load", json={"parameters": {"config": "{}"}})
    assert over.status_code == 400 and "as it was published" in over.json()["error"]


@pytest.mark.parametrize("what", ["load", "unload"])
def test_loading_and_unloading_in_the_repository(http: httpx.Client, model: str, what: str) -> None:
    path = f"/v2/repository/models/{model}/{what}"
    for body in (b"", b"{}", b'{"parameters":null}', b'{"parameters":{}}'):  # clients differ in this
        assert http.post(path, content=body).status_code == 200, body
    for parameters in ("0", '""', "[]", "false"):
        answer = http.post(path, content=f'{{"parameters":{parameters}}}')
        assert (answer.status_code, list(answer.json())) == (400, ["error"]), parameters


def test_statistics(http: httpx.Client, model: str) -> None:
    infer(http, model, matrix([[0.5], [0.6], [0.7]]))
    infer(http, model, matrix([[0.5]]))
    refused(http, model, b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}', {})
    reply = http.get(f"/v2/models/{model}/stats").json()["model_stats"][0]
    assert (reply["name"], reply["version"], reply["inference_count"], reply["execution_count"]) == (model, "1", 4, 2)
    assert reply["inference_stats"]["success"]["count"] == 2 and reply["inference_stats"]["success"]["ns"] > 0
    assert reply["inference_stats"]["fail"]["count"] == 1
    assert reply in http.get("/v2/models/stats").json()["model_stats"]


def refused(http: httpx.Client, model: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """The response to an inference that must be refused, in this protocol's form."""
    answer = http.post(f"/v2/models/{model}/infer", content=body, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.json()) == ["error"] and isinstance(answer.json()["error"], str)
    return answer


TENSOR: dict[str, Any] = {"name": "input-0", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
OF_THE_TENSOR: list[dict[str, Any]] = [
    {"shape": [2**4, 2**60 + 2]},
    {"shape": [-1, 2]},
    {"shape": [0, 2]},
    {"shape": [True, 2]},
    {"shape": [10**18, 2]},
    {"shape": [1] * 10_000},
    {"shape": []},
    {"shape": [2]},
    {"shape": [1, 3]},
    {"shape": [2, 2]},
    {"data": [[1], [2]]},
    {"data": [1, "2"]},
    {"data": [1, [2]]},
    {"data": [1, 1e300]},
    {"data": {}},
    {"data": None},
    {"datatype": "FP16"},
    {"datatype": "COMPLEX64"},
    {"datatype": []},
    {"name": 3},
    {"parameters": {"binary_data_size": 8}},
    {"parameters": {"shared_memory_region": "x"}, "data": []},
]
LIES: list[Any] = [
    None,
    1,
    [],
    "inputs",
    {},
    {"inputs": []},
    {"inputs": {}},
    {"inputs": [1]},
    {"inputs": [{}]},
    {"inputs": [TENSOR], "id": 7},
    {"inputs": [TENSOR], "outputs": {}},
    {"inputs": [TENSOR], "outputs": [{"name": "nothing"}]},
    {"inputs": [TENSOR], "outputs": [{"name": "y", "parameters": {"classification": 2}}]},
    {"inputs": [TENSOR], "parameters": []},
    {"inputs": [TENSOR], "parameters": {"binary_data_output": "yes"}},
    {"inputs": [TENSOR, TENSOR]},
    *({"inputs": [TENSOR | lie]} for lie in OF_THE_TENSOR),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda each: json.dumps(each)[:60])
def test_inconsistent_requests_are_refused(http: httpx.Client, models: dict[str, str], lie: Any) -> None:
    refused(http, models["two"], json.dumps(lie).encode(), {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("size", "shape", "length", "follows"),
    [
        (8, [1, 2], "+1", 8),
        (8, [1, 2], "-1", 8),
        (8, [1, 2], "-5", 8),
        (8, [1, 2], "99999999999999999999", 8),
        (8, [1, 2], "x", 8),
        (8, [1, 2], "", 8),
        (9, [1, 2], None, 9),
        (7, [1, 2], None, 7),
        (8, [1, 2], None, 9),
        (8, [1, 2], None, 7),
        (2**62, [1, 2], None, 8),
        (-8, [1, 2], None, 8),
        (True, [1, 2], None, 1),
        ("8", [1, 2], None, 8),
        (8, [2**40, 2**22], None, 8),
        (8, [1, 2**61 + 2], None, 8),
        (0, [0, 2], None, 0),
    ],
)
def test_wrong_binary_sizes_are_refused(
    http: httpx.Client, models: dict[str, str], size: Any, shape: list[int], length: str | None, follows: int
) -> None:
    tensor = {"name": "input-0", "shape": shape, "datatype": "FP32", "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    if length is None:
        length = str(len(head))
    elif length in ("+1", "-1"):
        length = str(len(head) + int(length))
    refused(http, models["two"], head + b"\0" * follows, {LENGTH: length})


def test_errors_have_the_form_of_this_protocol(http: httpx.Client, models: dict[str, str], server: Server) -> None:
    name = models["two"]
    for answer, status in (
        (http.get("/v2/nothing"), 404),
        (http.get("/v2/models/nobody"), 404),
        (http.get(f"/v2/models/{name}/infer"), 405),
        (http.delete("/v2"), 405),
        (http.post("/v2/models/nobody/infer", json=matrix(ROWS)), 404),
        (http.post("/v2/models/..%2f..%2fx/infer", json=matrix(ROWS)), 404),
        (http.post(f"/v2/models/{name}/infer", content=b"{", headers={"Content-Type": "application/json"}), 400),
        (http.post(f"/v2/models/{name}/infer", content=b"{}", headers={"Content-Type": "text/csv"}), 415),
        (http.post(f"/v2/models/{name}/infer", json=matrix(ROWS), headers={"Request-Timeout": "soon"}), 400),
        (http.post(f"/v2/models/{name}/infer", json=matrix(ROWS), headers={"Request-Timeout": "0"}), 504),
        (http.post(f"/v2/models/{name}/infer", content=b"x", headers={"Content-Encoding": "br"}), 415),
        (http.post("/v2/repository/index", content=b"[]"), 400),
        (http.post("/v2/repository/index", content=b'{"ready":1}'), 400),
    ):
        assert answer.status_code == status, (answer.request.url, answer.text)
        assert list(answer.json()) == ["error"] and isinstance(answer.json()["error"], str)
    assert http.get(f"/v2/models/{name}/infer").headers["Allow"] == "POST"
    assert "Traceback" not in server.log()

"""The OpenAPI document: complete, correct, and readable without the internet."""

import json
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import jsonschema_rs
import pytest

from service.api.schemas.bodies import SWEEP_EXAMPLE
from service.api.schemas.upload import OFFSET_STREAM
from tests.api.conftest import ended
from tests.harness.pictures import picture, zip_of
from tests.harness.server import Server
from tests.harness.until import until

ENDLESS = {**SWEEP_EXAMPLE, "training": {"epochs": 10_000_000, "batch_size": "full"}}
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that is not shared: the examples train the model `line`."""
    with Server(tmp_path_factory.mktemp("documented") / "home") as server, server.http_client() as client:
        yield client


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    answer = http.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[Operation]:
    return [(method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def test_every_operation_has_a_summary_and_a_description(operations: list[Operation]) -> None:
    assert len(operations) > 30
    for method, path, operation in operations:
        assert operation["summary"] and operation["description"] and operation["tags"], (method, path)
    summaries = [operation["operationId"] for _, _, operation in operations]
    assert len(set(summaries)) == len(summaries)


def test_every_body_has_an_example_and_every_answer_a_schema(operations: list[Operation]) -> None:
    for method, path, operation in operations:
        without = ("/cancel", "/pause", "/resume", "/rollback", "/uploads")
        if method in ("post", "put", "patch") and not path.endswith(without):
            for media_type, content in operation["requestBody"]["content"].items():
                assert content["example"] and content["schema"], (method, path, media_type)
        assert any(status.startswith("2") for status in operation["responses"]), (method, path)
        for status, answer in operation["responses"].items():
            if status in ("200", "201", "202") and not path.endswith(("/load", "/unload")):  # without a response body
                assert answer["content"], (method, path)
                for media_type, content in answer["content"].items():
                    is_shaped = content.get("schema") or "plots" in path
                    assert is_shaped or media_type == "text/plain", (method, path, media_type)


def test_errors_are_problems(operations: list[Operation], document: dict[str, Any]) -> None:
    for method, path, operation in operations:
        if not path.startswith("/v1") or "dialects" in operation["tags"]:  # which have their own error formats
            continue
        for status in ("4XX", "5XX"):
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"], (method, path)
        assert "422" not in operation["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_optional_bodies_are_not_required(document: dict[str, Any]) -> None:
    """Triton's client sends no body there."""
    for path in ("index", "models/{name}/load", "models/{name}/unload"):
        assert not document["paths"][f"/v2/repository/{path}"]["post"]["requestBody"]["required"]


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)):
        assert reference in document["components"]["schemas"]


def test_the_documentation_needs_no_internet(http: httpx.Client) -> None:
    page = http.get("/docs").text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) >= 3
    for source in sources:
        assert not source.startswith("/"), source  # relative, for a path behind a proxy
        assert http.get(f"/{source}").status_code == 200
    assert "//" not in re.sub(r"<!--.*?-->", "", page.replace("://", "")) and "http" not in page
    assert http.get("/redoc").status_code == 404


def test_the_examples_work_in_sequence(
    operations: list[Operation], document: dict[str, Any], http: httpx.Client
) -> None:
    """Every operation once, with its example body; every response is declared and matches its schema."""
    by_route = {(method, path): about for method, path, about in operations}
    left = set(by_route)
    values = {"name": "line", "version": "1", "plot": "data.json", "alias": "production", "export": "safetensors"}

    def send(
        method: str, path: str, query: str = "", content: bytes | None = None, header: tuple[str, str] | None = None
    ) -> httpx.Response:
        about = by_route[method, path]
        left.discard((method, path))
        headers = dict([header] if header else [])
        for media_type, body in list(about.get("requestBody", {}).get("content", {}).items())[:1]:
            example = body["example"]
            content = content or (example.encode() if isinstance(example, str) else json.dumps(example).encode())
            headers["Content-Type"] = media_type
        address = path
        for name, value in values.items():
            address = address.replace(f"{{{name}}}", value)
        answer = http.request(method.upper(), address + query, content=content, headers=headers)
        assert answer.status_code < 400, f"{method} {address}: {answer.text}"
        described = about["responses"][str(answer.status_code)]
        if answer.content:
            media_type = answer.headers["Content-Type"].split(";")[0]
            check(described["content"][media_type].get("schema", {}), document, answer)
        return answer

    send("get", "/livez"), send("get", "/readyz")
    send("post", "/v1/training-jobs/validate")
    values["job_id"] = send("post", "/v1/training-jobs").json()["id"]
    ended(http, values["job_id"])
    assert send("get", "/v1/training-jobs/{job_id}", "?wait=60").json()["status"] == "succeeded"
    for path in ("", "/{job_id}/metrics", "/{job_id}/events"):
        send("get", "/v1/training-jobs" + path)
    values["sweep_id"] = send("post", "/v1/sweeps").json()["id"]
    for path in ("", "/{sweep_id}"):
        send("get", "/v1/sweeps" + path)
    until(lambda: http.get(f"/v1/sweeps/{values['sweep_id']}").json()["best"], 120)
    values["plot"] = "history.json"
    send("get", "/v1/sweeps/{sweep_id}/plots/{plot}")
    values |= {"plot": "data.json", "sweep_id": http.post("/v1/sweeps", json=ENDLESS).json()["id"]}
    for verb in ("pause", "resume", "cancel"):
        send("post", f"/v1/sweeps/{{sweep_id}}/{verb}")
    values["version"] = str(http.get("/v1/models/line").json()["latest"])
    version = "/v1/models/{name}/versions/{version}"
    for path in ("/v1/models", "/v1/models/{name}", "/v1/models/{name}/versions", version):
        send("get", path)
    for path in ("/parameters", "/state_dict", "/plots/{plot}", "/exports/{export}", "/bom"):
        send("get", version + path)
    for path in ("/card", "/card.html", "/lineage"):
        send("get", version + path)
    send("get", "/v1/models/{name}/compare", "?a=1&b=latest")
    send("get", "/v1/models/{name}/drift"), send("get", "/v1/models/{name}/live-metrics")
    send("post", f"{version}/predictions"), send("post", "/v1/models/{name}/predictions")
    send("post", f"{version}:explain"), send("post", "/v1/models/{name}:explain")
    send("get", f"{version}/predictions", "?x=0.5"), send("get", "/v1/models/{name}/predictions", "?x=0.5")
    values["label"] = "latest"
    dialects = sorted(each for each in left if "dialects" in by_route[each]["tags"] and each[1] != "/invocations")
    for method, path in dialects:
        send(method, path)
    left.remove(("post", "/invocations"))  # needs a default model
    bundle = BytesIO(send("get", f"{version}/bundle").content)
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr("signature.json", "{}")  # kept as it is, since no key is trusted
    values["name"] = "story"
    values["version"] = str(send("post", "/v1/models/{name}/versions", content=bundle.getvalue()).json()["version"])
    send("get", f"{version}/signature")
    length = str(len(by_route["patch", "/v1/uploads/{upload}"]["requestBody"]["content"][OFFSET_STREAM]["example"]))
    values["upload"] = send("post", "/v1/uploads", header=("Upload-Length", length)).json()["id"]
    send("patch", "/v1/uploads/{upload}", header=("Upload-Offset", "0"))
    send("get", "/v1/uploads/{upload}"), send("delete", "/v1/uploads/{upload}")
    send("put", "/v1/models/{name}/aliases/{alias}")
    second = {**http.get("/v1/training-jobs/" + values["job_id"]).json()["spec"], "model_name": "story"}
    job = http.post("/v1/training-jobs", json={**second, "training": {**second["training"], "epochs": 0}}).json()
    assert ended(http, job["id"])["result"]["version"] == 2
    http.put("/v1/models/story/aliases/production", json={"version": 2})
    assert send("post", "/v1/models/{name}/aliases/{alias}/rollback").json()["version"] == 1
    for path in ("", "/{alias}", "/{alias}/history"):
        send("get", f"/v1/models/{{name}}/aliases{path}")
    send("delete", "/v1/models/{name}/aliases/{alias}")
    for method in ("put", "get", "delete"):
        send(method, "/v1/models/{name}/retention")
    send("delete", version)
    send("delete", "/v1/models/{name}")
    send("put", "/v1/datasets/{name}"), send("put", "/v1/datasets/{name}"), send("post", "/v1/datasets/{name}")
    send("patch", "/v1/datasets/{name}"), send("patch", "/v1/datasets/{name}")
    for path in ("/v1/datasets", "/v1/datasets/{name}", "/v1/datasets/{name}/versions", "/v1/datasets/{name}/rows"):
        send("get", path)
    pictures = zip_of({f"{kind}/1.png": picture(at) for at, kind in enumerate("ab")})
    http.put(f"/v1/datasets/{values['name']}", content=pictures, headers={"Content-Type": "application/zip"})
    values["item"] = "1"
    send("get", "/v1/datasets/{name}/items/{item}")
    send("delete", "/v1/datasets/{name}")
    job = http.post("/v1/training-jobs", json={**second, "training": {**second["training"], "epochs": 10**7}}).json()
    values["job_id"] = job["id"]
    for path in ("pause", "resume", "cancel"):
        send("post", f"/v1/training-jobs/{{job_id}}/{path}")
    send("get", "/v1/training-jobs/{job_id}/attempts")
    send("get", "/v1/keys"), send("get", "/v1/audit"), send("get", "/v1/service")
    # The first key would refuse this client, and feedback needs the log of predictions: tests/api/test_access.py and
    # tests/api/test_feedback.py have them.
    assert left == {("post", "/v1/keys"), ("delete", "/v1/keys/{key}"), ("post", "/v1/models/{name}/feedback")}


def check(schema: dict[str, Any], document: dict[str, Any], answer: httpx.Response) -> None:
    """The response matches its schema, with no additional and no missing field."""
    if answer.headers["Content-Type"].startswith("application/json"):
        jsonschema_rs.validate(schema | {"components": document["components"]}, answer.json())

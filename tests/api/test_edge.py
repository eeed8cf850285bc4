"""What every route has in common: strict JSON, problem documents, methods, names, numbers."""

import re
import socket
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.conftest import LINE
from tests.harness.server import Server

JSON_ROUTES = [
    ("POST", "/v1/training-jobs"),
    ("POST", "/v1/training-jobs/validate"),
    ("POST", "/v1/models/line/predictions"),
    ("POST", "/v1/models/line/versions/1/predictions"),
    ("PUT", "/v1/models/line/aliases/strict"),
]
NO_JSON = {
    "nothing": b"",
    "blank": b" \n",
    "a word": b"hello",
    "NaN": b'{"instances": [[NaN]]}',
    "Infinity": b'{"instances": [[-Infinity]]}',
    "beyond a double": b'{"instances": [[1e400]]}',
    "a name twice": b'{"version": 1, "version": 1}',
    "a name twice, escaped once": b'{"version": 1, "\\u0076ersion": 1}',
    "a name twice, deep inside": b'{"data": [{"a": {"b": 1, "b": ":"}}]}',
    "byte order mark at the end": b'{"version": 1}\xef\xbb\xbf',
    "UTF-16": '{"version": 1}'.encode("utf-16"),
    "bad UTF-8": b'{"a": "\xff"}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "two documents": b"{}{}",
    "comma at the end": b'{"version": 1,}',
    "single quotes": b"{'version': 1}",
    "comment": b'{"version": 1} // one',
    "control character": b'{"a": "\x01"}',
    "NUL": b'{"a": 1}\x00',
    "too deep": b"[" * 101 + b"]" * 101,
    "much too deep": b"[" * 250_000,
}


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a response that must be a complete problem document."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["title"] and document["detail"] and document["type"] == "about:blank"
    assert "Traceback" not in answer.text and "/home" not in answer.text
    return answer.status_code, document["code"]


@pytest.mark.parametrize("name", NO_JSON)
@pytest.mark.parametrize(("method", "path"), JSON_ROUTES)
def test_bodies_that_are_not_json(http: httpx.Client, line: dict[str, Any], method: str, path: str, name: str) -> None:
    answer = http.request(method, path, content=NO_JSON[name], headers={"Content-Type": "application/json"})
    assert problem(answer) == (400, "invalid_json")


@pytest.mark.parametrize("body", ["null", "1", '"a"', "[]", "{}", "[[]]", "true", '{"": 0}', '{"a/b~c": 1e308}'])
@pytest.mark.parametrize(("method", "path"), JSON_ROUTES)
def test_json_of_the_wrong_shape(http: httpx.Client, line: dict[str, Any], method: str, path: str, body: str) -> None:
    answer = http.request(method, path, content=body, headers={"Content-Type": "application/json"})
    status, code = problem(answer)
    assert (status, code) in {(422, "invalid_spec"), (422, "invalid_instances"), (422, "invalid_request")}


@pytest.mark.parametrize(("method", "path"), JSON_ROUTES)
def test_a_body_of_another_type(http: httpx.Client, line: dict[str, Any], method: str, path: str) -> None:
    for given in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "image/png"):
        answer = http.request(method, path, content=b"{}", headers={"Content-Type": given})
        refused = (415, "unsupported_media_type")
        if given == "multipart/form-data" and path.endswith("/predictions"):
            refused = (400, "invalid_request")  # a form may have the values, but this one has no boundary
        assert problem(answer) == refused


@pytest.mark.parametrize("given", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_media_types(http: httpx.Client, line: dict[str, Any], given: str) -> None:
    body = b'{"instances": [1]}'
    assert http.post(JSON_ROUTES[2][1], content=body, headers={"Content-Type": given}).status_code == 200


@pytest.mark.parametrize(("method", "path"), JSON_ROUTES)
def test_a_body_that_is_too_large(server: Server, line: dict[str, Any], method: str, path: str) -> None:
    """With and without Content-Length: it is refused without being read to its end."""
    for framing in ("Content-Length: 1000000000", "Transfer-Encoding: chunked"):
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
        assert answer_to(server, head.encode(), chunked="chunked" in framing).startswith(b"HTTP/1.1 413 ")


def answer_to(server: Server, head: bytes, chunked: bool) -> bytes:
    """The first bytes of the response to a head, with chunks of a MiB without end when `chunked`."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head)
        block = b"100000\r\n" + b"[" * 2**20 + b"\r\n"
        try:
            for _ in range(64 if chunked else 0):
                connection.sendall(block)
        except OSError:
            pass  # the server has closed the connection
        return connection.recv(4096)


def test_unusual_names_never_cause_a_server_error(http: httpx.Client, line: dict[str, Any]) -> None:
    names = ["..", ".", "CON", "aux.txt", "a" * 300, "\x00", "a\nb", "‮", "😀", "%", "%2e%2e", "a/b", "LINE", "Ω", " "]
    names += ["'; drop table jobs", "{}", "<b>", "\\", "-", "_", "a..b", "1" * 4301, "$HOME", "../../etc/passwd"]
    for name in names:
        segment = quote(name, safe="") if name not in (".", "..") else name.replace(".", "%2e")
        for path in (
            f"/v1/models/{segment}",
            f"/v1/models/{segment}/versions/1/predictions?x=1",
            f"/v1/models/line/versions/{segment}",
            f"/v1/models/line/versions/1/plots/{segment}",
            f"/v1/models/line/versions/1/exports/{segment}",
            f"/v1/models/line/aliases/{segment}",
            f"/v1/datasets/{segment}/rows",
            f"/v1/training-jobs/{segment}",
        ):
            assert problem(http.get(path))[0] in (404, 422), path


@pytest.mark.parametrize("version", ["0", "2", str(10**18), str(10**30), "9" * 4400, "-1", "1.0", "+1", "٣", "latest1"])
def test_unknown_versions_are_404(http: httpx.Client, line: dict[str, Any], version: str) -> None:
    path = f"/v1/models/line/versions/{quote(version)}"
    for answer in (http.get(path), http.delete(path), http.get(f"{path}/bundle"), http.get(f"{path}/plots/data.png")):
        assert problem(answer) == (404, "version_not_found")
    for answer in (http.get(f"{path}/predictions?x=1"), http.post(f"{path}/predictions", json={"instances": [1]})):
        assert problem(answer) == (404, "version_not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/models/nobody", "model_not_found"),
        ("/v1/models/nobody/versions", "model_not_found"),
        ("/v1/models/nobody/versions/1", "model_not_found"),
        ("/v1/models/nobody/versions/blue/state_dict", "model_not_found"),
        ("/v1/models/nobody/predictions?x=1", "model_not_found"),
        ("/v1/models/nobody/aliases", "model_not_found"),
        ("/v1/models/nobody/aliases/production", "model_not_found"),
        ("/v1/models/nobody/aliases/production/history", "model_not_found"),
        ("/v1/models/line/aliases/nobody", "version_not_found"),
        ("/v1/models/line/versions/1/plots/nothing.png", "not_available"),
        ("/v1/models/line/versions/1/plots/data.gif", "not_available"),
        ("/v1/models/line/versions/1/state_dict?name=nobody", "not_available"),
        ("/v1/models/line/versions/1/exports/pickle", "not_available"),
        ("/v1/training-jobs/nobody", "job_not_found"),
        ("/v1/training-jobs/nobody?wait=60", "job_not_found"),
        ("/v1/training-jobs/nobody/metrics", "job_not_found"),
        ("/v1/training-jobs/nobody/events", "job_not_found"),
        ("/v1/training-jobs?after=nobody", "job_not_found"),
        ("/v1/datasets/nobody", "dataset_not_found"),
        ("/v1/datasets/nobody/versions", "dataset_not_found"),
        ("/v1/datasets/nobody/rows", "dataset_not_found"),
        ("/v1/nothing", "not_found"),
        ("/v1/models/", "not_found"),
        ("/v1/models/line/", "not_found"),
        ("//v1/models", "not_found"),
    ],
)
def test_unknown_resources_are_404(http: httpx.Client, line: dict[str, Any], path: str, code: str) -> None:
    assert problem(http.get(http.base_url.join("/").copy_with(raw_path=path.encode()))) == (404, code)


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/models?limit=0", "/query/limit"),
        ("/v1/models?limit=1001", "/query/limit"),
        ("/v1/models?limit=many", "/query/limit"),
        (f"/v1/models?after={'a' * 300}", "/query/after"),
        ("/v1/models/line/versions?after=x", "/query/after"),
        ("/v1/training-jobs?status=lost", "/query/status"),
        ("/v1/training-jobs/{id}?wait=61", "/query/wait"),
        ("/v1/training-jobs/{id}?wait=-1", "/query/wait"),
        ("/v1/training-jobs/{id}?wait=nan", "/query/wait"),
        ("/v1/training-jobs/{id}?wait=inf", "/query/wait"),
        ("/v1/training-jobs/{id}/events?after=-1", "/query/after"),
        (f"/v1/training-jobs/{{id}}/events?after={10**30}", "/query/after"),
        (f"/v1/training-jobs/{{id}}/events?after={'1' * 5000}", "/query/after"),
    ],
)
def test_invalid_query_parameters(http: httpx.Client, line: dict[str, Any], path: str, pointer: str) -> None:
    answer = http.get(path.replace("{id}", line["id"]))
    assert problem(answer) == (422, "invalid_request")
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_head_is_get_without_the_body(http: httpx.Client, line: dict[str, Any]) -> None:
    for path in ("/livez", "/v1/models", "/v1/models/line/versions/1/predictions?x=1", "/v1/models/nobody", "/docs"):
        got, head = http.get(path), http.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        for name in ("Content-Type", "Content-Length", "ETag"):
            assert head.headers.get(name) == got.headers.get(name)


def test_a_405_lists_the_allowed_methods(http: httpx.Client, line: dict[str, Any]) -> None:
    for method in ("PATCH", "OPTIONS", "TRACE"):
        answer = http.request(method, "/v1/models/line/aliases/blue")
        assert problem(answer) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "DELETE, GET, HEAD, PUT"
    assert http.put("/v1/training-jobs").headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_reserved_paths_are_not_resource_names(http: httpx.Client, line: dict[str, Any], method: str) -> None:
    """A verb is never read as the name of a model, version, label or job."""
    verbs = [f"/v1/models/line{part}:predict" for part in ("", "/versions/1", "/labels/blue")]
    for path in [*verbs, "/v1/training-jobs/validate"]:
        answer = http.request(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST"), path


def test_an_invalid_spec_names_each_error_and_the_valid_values(http: httpx.Client) -> None:
    spec = {**LINE, "model_name": "line", "optimiser": {}, "optimizer": {"name": "sdg"}, "training": {"epochs": -1}}
    answer = http.post("/v1/training-jobs", json=spec)
    assert problem(answer) == (422, "invalid_spec")
    errors = {each["pointer"]: each["message"] for each in answer.json()["errors"]}
    assert set(errors) == {"/optimiser", "/optimizer/name", "/training/epochs"}
    assert "'optimizer'" in errors["/optimiser"] and "'SGD'" in errors["/optimizer/name"]


def test_long_input_is_not_echoed_in_full(http: httpx.Client) -> None:
    long = "s3cret-" * 10_000
    for body in ({long: 1}, {**LINE, "model_name": long}, {**LINE, "model_name": "a", "loss": {"name": long}}):
        answer = http.post("/v1/training-jobs", json=body)
        assert answer.status_code == 422
        assert len(answer.text) < 6000
    rows = {"kind": "rows", "target": "y", "records": [{"y": []}] * 5000}
    answer = http.post("/v1/training-jobs", json={"model_name": "a", "data": rows})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 20 and " more)" in answer.json()["detail"]


def test_no_header_names_the_server_software(http: httpx.Client) -> None:
    for answer in (http.get("/livez"), http.get("/nothing"), http.post("/v1/training-jobs", content=b"{")):
        assert not re.search("uvicorn|fastapi|starlette", str(answer.headers) + answer.text, re.IGNORECASE)

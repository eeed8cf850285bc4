"""A service behind a proxy under a path, with pages of other sites: what it answers to them, over ASGI and on the fast path."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modelwright import Client
from service.api.middleware.cross_origin import REQUEST_HEADERS, RESPONSE_HEADERS
from tests.api.conftest import LINE, train
from tests.api.keyed import KeyedServer
from tests.api.test_edge import problem
from tests.harness.until import until

PAGE, OTHER = "https://app.example", "https://other.example"
PATHS = {"fast path": "/v1/models/line/predictions", "ASGI": "/v1/models/line/predictions?"}
CLIENT = "203.0.113.7"


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedServer]:
    """A server with keys whose settings name an origin, a path and this machine as a proxy."""
    home = tmp_path_factory.mktemp("around") / "home"
    settings = {"allowed_origins": f"{PAGE}, http://localhost:3000", "root_path": "/mw", "forwarded_allow": "127.0.0.1"}
    with KeyedServer(home, **settings) as started:
        with started.as_("train") as http:
            train(http, "line", training={"epochs": 0})
        yield started


@pytest.fixture(scope="module")
def anybody(around: KeyedServer) -> Iterator[httpx.Client]:
    with around.http_client() as http:
        yield http


@pytest.fixture(scope="module")
def predictor(around: KeyedServer) -> Iterator[httpx.Client]:
    with around.as_("predict") as http:
        yield http


def preflight(http: httpx.Client, path: str, origin: str) -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization",
    }
    return http.options(path, headers=asked)


@pytest.mark.parametrize("path", ["/v1/models", "/mw/v1/models/line/predictions", "/v1/keys", "/nothing"])
def test_a_preflight_of_a_named_origin_needs_no_key(anybody: httpx.Client, path: str) -> None:
    answer = preflight(anybody, path, PAGE)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers.get_list("Access-Control-Allow-Origin") == [PAGE]
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert {"Authorization", "Content-Type", "If-Match"} <= {
        *answer.headers["Access-Control-Allow-Headers"].split(", ")
    }
    assert answer.headers["Vary"] == "Origin" and answer.headers["Request-Id"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "https://app.example:8443", "http://app.example", "https://APP.example", ""]
)
def test_other_origins_get_nothing(anybody: httpx.Client, predictor: httpx.Client, origin: str) -> None:
    assert problem(preflight(anybody, "/v1/models", origin)) == (403, "forbidden")
    for path in PATHS.values():
        answer = predictor.post(path, json={"instances": [1]}, headers={"Origin": origin})
        assert answer.status_code == 200  # a key decides; the browser does not show it to the page
        assert not any(name.startswith("access-control") for name in answer.headers)
        assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_page_reads_predictions(predictor: httpx.Client, path: str) -> None:
    for instances, status in (([1], 200), (["one"], 422)):
        answer = predictor.post(path, json={"instances": instances}, headers={"Origin": PAGE})
        assert answer.status_code == status
        assert answer.headers.get_list("Access-Control-Allow-Origin") == [PAGE]
        assert answer.headers.get_list("Access-Control-Expose-Headers") == [", ".join(RESPONSE_HEADERS)]
        assert answer.headers.get_list("Vary") == ["Origin"]


def test_a_page_reads_what_is_wrong(anybody: httpx.Client, predictor: httpx.Client) -> None:
    origin = {"Origin": PAGE}
    for path in ("/v1/models", *PATHS.values()):
        answer = anybody.get(path, headers=origin) if path == "/v1/models" else anybody.post(path, headers=origin)
        assert problem(answer) == (401, "unauthorized")
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    answer = predictor.get("/v1/models/nobody", headers=origin)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (404, PAGE)


def test_the_answer_to_a_request_without_origin_says_that_it_varies(anybody: httpx.Client) -> None:
    answer = anybody.get("/livez")
    assert answer.headers["Vary"] == "Origin" and "Access-Control-Allow-Origin" not in answer.headers


def test_without_the_setting_there_is_nothing_of_it(http: httpx.Client) -> None:
    assert preflight(http, "/v1/models", PAGE).status_code == 405
    headers = http.get("/v1/models", headers={"Origin": PAGE}).headers
    assert "Vary" not in headers and not any(name.startswith("access-control") for name in headers)


def test_a_page_may_send_every_header_that_the_document_has(anybody: httpx.Client) -> None:
    paths: dict[str, Any] = anybody.get("/openapi.json").json()["paths"]
    parameters = [each for item in paths.values() for about in item.values() for each in about["parameters"]]
    names = {each["name"].lower() for each in parameters if each["in"] == "header"}
    assert "if-match" in names
    assert names <= {each.lower() for each in REQUEST_HEADERS}


@pytest.mark.parametrize("root", ["", "/mw"])
def test_proxies_may_leave_the_path_there_or_remove_it(around: KeyedServer, root: str) -> None:
    with around.as_("train") as http:
        assert http.get(f"{root}/v1/models/line").json()["name"] == "line"
        predictions = f"{root}/v1/models/line/predictions"
        assert http.post(predictions, json={"instances": [1]}).json()["model_name"] == "line"
        # On the fast path, too, once the model is in memory: there the last header is Content-Length.
        until(lambda: [*http.post(predictions, json={"instances": [1]}).headers][-1] == "content-length")
        accepted = http.post(f"{root}/v1/training-jobs?", json={**LINE, "model_name": "line"})
        assert accepted.headers["Location"] == f"/mw/v1/training-jobs/{accepted.json()['id']}"
        assert http.get(accepted.headers["Location"]).status_code == 200
        assert http.get(f"{root}/openapi.json").json()["servers"] == [{"url": "/mw"}]
        assert http.get(f"{root}/docs").status_code == 200
        assert http.get(f"{root}/static-offline-docs/swagger-ui.css").status_code == 200
        assert http.get(f"{root}/mw/v1/models/line").status_code == (403 if root else 200)  # removed once


def test_the_key_is_asked_for_under_the_path_too(anybody: httpx.Client, predictor: httpx.Client) -> None:
    for path in ("/mw/v1/models", "/mw/v1/keys", "/mw//v1/models", "/mw", "/mwx/v1/models"):
        answer = anybody.post(path)
        assert answer.status_code == 401, path
    assert problem(predictor.get("/mw/v1/keys")) == (403, "forbidden")
    assert anybody.get("/mw/livez").text == "ok\n"


def test_the_path_without_a_slash_leads_to_the_page(anybody: httpx.Client) -> None:
    answer = anybody.get("/mw?a=b")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/mw/?a=b")
    assert anybody.post("/mw").status_code == 401


def test_the_python_client_under_the_path(around: KeyedServer) -> None:
    with Client(f"{around.url}/mw", api_key=around.keys["train"], transport=httpx.HTTPTransport()) as client:
        assert client.predict("line", [1.0])["model_name"] == "line"


def test_the_logs_have_the_clients_address(around: KeyedServer) -> None:
    forwarded = {"X-Forwarded-For": f"1.1.1.1, {CLIENT}"}
    for name, path in PATHS.items():
        with around.as_("predict") as http:
            http.post(path, json={"instances": ["one"]}, headers={**forwarded, "Request-Id": name.replace(" ", "-")})
    with around.as_("admin") as http:
        assert http.put("/v1/models/line/aliases/blue", json={"version": 1}, headers=forwarded).status_code == 200
        assert http.put("/v1/models/line/aliases/blue", json={"version": 1}).status_code == 200
        lines = http.get("/v1/audit?limit=1000").json()["data"]
        assert [each["client"] for each in lines if each["path"].endswith("/blue")] == [CLIENT, "127.0.0.1"]
    log = around.log()
    for name in PATHS:
        (line,) = [each for each in log.splitlines() if f'"request_id":"{name.replace(" ", "-")}"' in each]
        assert f'"client":"{CLIENT}"' in line

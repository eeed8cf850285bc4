"""Authorization (P-12, P-13): every route of the app and of the fast path with every kind of key, on a real server."""

import base64
import re
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from service.access.keyring import Keyring
from service.access.scopes import Scope
from service.api.dialects.registry import dialect_of
from service.api.predictions.negotiation import NATIVE
from service.api.schemas.access import NewKey
from tests.api.conftest import ADMIN_KEY, LINE
from tests.api.keyed import KeyedServer
from tests.api.test_edge import problem
from tests.api.test_needed_scope import ADDRESSES, OPEN, ROUTES, needed
from tests.harness.until import until


def all_routes() -> list[tuple[str, str]]:
    """Every method and path of the routes and of the table of scopes, with a name for each parameter."""
    found = {(method, route.path_format) for route in ROUTES for method in getattr(route, "methods", {"GET"})}
    values = {"name": "line", "version": "1", "alias": "production"}
    return sorted((m, re.sub(r"\{(\w+)\}", lambda p: values.get(p[1], "x"), path)) for m, path in [*found, *ADDRESSES])


ALL_ROUTES = all_routes()
OPEN_PATHS = {re.sub(r"\{\w+\}", "x", path) for path in OPEN}
# Path variants that might bypass a check; `%2e` is a dot and `%2f` a slash.
WAYS = ["//{}", "/{}/", "/./{}", "/%2e/{}", "/%2e%2e/{}", "/livez/../{}", "/livez/%2e%2e/{}", "/{}%2f", "/{}?x=1", "/{}%0a",
        "/{}%00", "/{};a", "/{}%20", "/livez%2f..%2f{}", "/v2/health/../../{}"]  # fmt: skip


def send(http: httpx.Client, method: str, path: str, **about: Any) -> httpx.Response:
    """Sends the path exactly as written; httpx would normalize it."""
    url = http.base_url.copy_with(raw_path=path.encode())
    return http.send(http.build_request(method, url, **about))


def status_and_code(answer: httpx.Response, path: str) -> tuple[int, str]:
    """Status and error code; other servers' protocols have no codes."""
    if dialect_of(path) is NATIVE:
        return problem(answer)
    words = answer.json()
    assert set(words) in ({"error"}, {"error_code", "message"}), words
    return answer.status_code, {401: "unauthorized", 403: "forbidden"}[answer.status_code]


def test_there_are_many_routes() -> None:
    assert len(ALL_ROUTES) > 90 and len({path for _, path in ALL_ROUTES}) > 60


@pytest.mark.parametrize("key", [None, "made-up", "expired", "revoked"])
def test_every_route_needs_a_valid_key(keyed: KeyedServer, key: str | None) -> None:
    with keyed.http_client() if key is None else keyed.as_(key) as http:
        for path in {path for _, path in ALL_ROUTES}:
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
                answer = send(http, method, path, json={} if method in ("POST", "PUT") else None)
                if path in OPEN_PATHS and method in ("GET", "HEAD"):
                    assert answer.status_code in (200, 307, 404), (method, path)  # 404: no such model
                    continue
                assert answer.status_code == 401, (method, path)
                challenge = "Bearer" if key is None else 'Bearer error="invalid_token"'
                assert answer.headers["WWW-Authenticate"] == challenge
                if method != "HEAD":
                    assert status_and_code(answer, path) == (401, "unauthorized")


def test_a_key_is_refused_beyond_its_scope(keyed: KeyedServer) -> None:
    for key in ("predict", "train"):
        with keyed.as_(key) as http:
            for method, path in ALL_ROUTES:
                need, _ = needed(method, path)
                if need is not None and need > Scope[key.upper()]:
                    answer = send(http, method, path)
                    assert answer.status_code == 403, (method, path)
                    assert method == "HEAD" or status_and_code(answer, path) == (403, "forbidden")


def test_a_key_is_accepted_within_its_scope(keyed: KeyedServer) -> None:
    for scope in Scope:
        with keyed.as_(scope.word) as http:
            for method, path in ALL_ROUTES:
                need, _ = needed(method, path)
                if method in ("GET", "HEAD") and need is not None and need <= scope:
                    answer = send(http, method, path)
                    assert answer.status_code not in (401, 403), (method, path, answer.status_code)
            assert http.get("/v1/models/line/predictions?x=1").status_code == 200
            assert http.post("/v1/models/line/predictions", json={"instances": [1]}).status_code == 200


@pytest.mark.parametrize("way", WAYS)
def test_path_variants_do_not_bypass_authorization(keyed: KeyedServer, way: str) -> None:
    with keyed.http_client() as http:
        for method, path in ALL_ROUTES:
            if path in OPEN_PATHS or (around := way.format(path[1:])) in OPEN_PATHS:
                continue
            answer = send(http, method, around)
            assert answer.status_code == 401, (method, around)
    with keyed.as_("predict") as http:
        for path in ("/v1/keys", "/v1/audit", "/v1/training-jobs", "/v1/datasets"):
            answer = send(http, "GET", way.format(path[1:]))
            assert answer.status_code == 403, way


def test_malformed_authorization_headers_are_refused(keyed: KeyedServer) -> None:
    good = keyed.keys["admin"]
    with keyed.http_client() as http:
        for scheme in ("Bearer", "bearer", "BEARER"):
            assert http.get("/v1/keys", headers={"Authorization": f"{scheme} {good}"}).status_code == 200
        basic = base64.b64encode(f"admin:{good}".encode()).decode()
        jwts = ["eyJhbGciOiJub25lIn0.eyJzY29wZSI6ImFkbWluIn0.", "eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLy4uIn0.e30.AAAA"]
        for value in ("", "Bearer", f"Bearer{good}", good, f"Token {good}", f"Basic {basic}", "Bearer null",
                      f"Bearer {good[:-1]}", f"Bearer {good} x", f'Bearer "{good}"', "Bearer " + "a" * 50_000,
                      *(f"Bearer {each}" for each in jwts)):  # fmt: skip
            answer = http.get("/v1/keys", headers={"Authorization": value})
            assert answer.status_code == 401, value
            assert good not in answer.text
        for elsewhere in (f"/v1/keys?key={good}", f"/v1/keys?access_token={good}", f"/v1/keys?api_key={good}"):
            assert http.get(elsewhere).status_code == 401
        assert http.get("/v1/keys", headers={"X-Api-Key": good, "Cookie": f"key={good}"}).status_code == 401


def test_the_configured_key_has_every_scope(keyed: KeyedServer) -> None:
    with keyed.http_client() as http:
        http.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        assert "configured" in [key["name"] for key in http.get("/v1/keys").json()["data"]]


def test_keys_are_made_and_revoked_over_http(keyed: KeyedServer) -> None:
    with keyed.as_("admin") as http, keyed.http_client() as other:
        document = http.get("/openapi.json").json()["paths"]["/v1/keys"]["post"]
        wanted = document["requestBody"]["content"]["application/json"]["example"]
        made = http.post("/v1/keys", json=wanted)
        TypeAdapter(NewKey).validate_python(made.json(), strict=True)
        assert made.status_code == 201 and made.headers["Cache-Control"] == "no-store"
        other.headers["Authorization"] = f"Bearer {made.json()['key']}"
        assert other.get("/metrics").status_code == 200
        assert problem(http.post("/v1/keys", json=wanted)) == (409, "key_exists")
        listed = {key["name"]: key for key in http.get("/v1/keys").json()["data"]}
        assert listed["scraper"]["expires_at"] > listed["scraper"]["created_at"]
        assert "key" not in listed["scraper"] and "sha256" not in listed["scraper"]
        assert http.delete("/v1/keys/scraper").status_code == 204
        assert other.get("/metrics").status_code == 401
        assert problem(http.delete("/v1/keys/scraper")) == (404, "key_not_found")


@pytest.mark.parametrize(
    "body",
    [{}, [], {"name": "x"}, {"name": 1, "scopes": ["predict"]}, {"name": "x", "scopes": "predict"}, {"name": "x", "scopes": []},
     {"name": "x", "scopes": ["root"]}, {"name": "x", "scopes": [1]}, {"name": "x", "scopes": ["predict"], "key": "mine"},
     {"name": "x", "scopes": ["predict"], "expires_in_days": "1"}, {"name": "x", "scopes": ["predict"], "expires_in_days": True},
     {"name": "x", "scopes": ["predict"], "expires_in_days": 0}, {"name": "x", "scopes": ["predict"], "expires_in_days": 1e300},
     {"name": "../x", "scopes": ["predict"]}, {"name": "x" * 1000, "scopes": ["predict"]}],
)  # fmt: skip
def test_invalid_key_requests_are_refused(keyed: KeyedServer, body: Any) -> None:
    with keyed.as_("admin") as http:
        assert problem(http.post("/v1/keys", json=body))[0] == 422


def test_the_openapi_document_names_the_scope_of_each_operation(keyed: KeyedServer) -> None:
    with keyed.as_("predict") as http:
        document = http.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    security = {
        (m.upper(), path): call["security"] for path, item in document["paths"].items() for m, call in item.items()
    }
    assert security["GET", "/livez"] == []
    assert security["POST", "/v1/models/{name}/predictions"] == [{"key": ["predict"]}]
    assert security["POST", "/v1/training-jobs"] == [{"key": ["train"]}]
    assert security["DELETE", "/v1/keys/{key}"] == [{"key": ["admin"]}]


def test_authorized_answers_are_for_private_caches_only(keyed: KeyedServer) -> None:
    with keyed.as_("predict") as http:
        kept = http.get("/v1/models/line/versions/1/predictions?x=1").headers["Cache-Control"]
    assert kept == "private, max-age=31536000, immutable"


def test_keys_created_and_revoked_by_another_process_take_effect(keyed: KeyedServer) -> None:
    keyring = Keyring(keyed.home / "access")
    _, secret = keyring.create("passing", [Scope.PREDICT])
    with keyed.http_client() as http:
        http.headers["Authorization"] = f"Bearer {secret}"

        def is_accepted() -> bool:
            return http.get("/v1/models/line/predictions?x=1").status_code == 200

        until(is_accepted)
        keyring.revoke("passing")
        until(lambda: not is_accepted())


def test_idempotency_keys_of_two_callers_do_not_collide(keyed: KeyedServer) -> None:
    def submit(caller: str, spec: dict[str, Any]) -> httpx.Response:
        with keyed.as_(caller) as http:
            return http.post("/v1/training-jobs", json=spec, headers={"Idempotency-Key": "one"})

    spec = {**LINE, "model_name": "own-key", "training": {"epochs": 0}}
    first, again, other = submit("train", spec), submit("train", spec), submit("admin", {**spec, "priority": -1})
    assert [each.status_code for each in (first, again, other)] == [202, 202, 202]
    assert first.json()["id"] == again.json()["id"] != other.json()["id"]
    assert submit("train", {**spec, "priority": -2}).json()["code"] == "idempotency_mismatch"

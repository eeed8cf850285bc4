"""The service behind a real nginx with the example's configuration: TLS, a path, streams, uploads, the client's address."""

import os
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from modelwright import Client
from service.serving.stream import BATCH_ROWS
from tests.api.conftest import LINE, train
from tests.api.keyed import KeyedServer
from tests.docs.pages import ROOT
from tests.harness.nginx import SELF_MADE, Nginx, find_nginx

LARGE = 8 * 2**20  # bytes; nginx alone refuses more than 1 MiB


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedServer]:
    """A service as the guide starts it. Without nginx its tests are skipped, or fail with NGINX_TESTS=required."""
    if find_nginx() is None:
        if os.environ.get("NGINX_TESTS") == "required":
            pytest.fail("there is no nginx (on Debian: apt-get install nginx)")
        pytest.skip("there is no nginx (on Debian: apt-get install nginx)")
    home = tmp_path_factory.mktemp("proxied") / "home"
    with KeyedServer(home, root_path="/mw", forwarded_allow="127.0.0.1") as started:
        with started.as_("train") as http:
            train(http, "line", training={"epochs": 0})
        yield started


@pytest.fixture(scope="module", params=[False, True], ids=["keeps the path", "removes the path"])
def nginx(
    service: KeyedServer, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    upstream = service.url.removeprefix("http://")
    with Nginx(tmp_path_factory.mktemp("nginx") / "nginx", upstream, remove_path=request.param) as started:
        yield started


def test_addresses_in_answers_lead_back_through_the_proxy(nginx: Nginx, service: KeyedServer) -> None:
    origin = nginx.url.removesuffix("/mw")
    with nginx.http(service.keys["train"]) as http:
        accepted = http.post("/v1/training-jobs", json={**LINE, "model_name": "line", "training": {"epochs": 0}})
        assert accepted.headers["Location"] == f"/mw/v1/training-jobs/{accepted.json()['id']}"
        assert http.get(origin + accepted.headers["Location"]).json()["id"] == accepted.json()["id"]
        assert http.get("/openapi.json").json()["servers"] == [{"url": "/mw"}]
        assert http.get("/docs").status_code == http.get("/docs/page.js").status_code == 200
        redirect = http.get(origin + "/mw?a=b")
        assert (redirect.status_code, httpx.URL(redirect.headers["Location"]).path) == (308, "/mw/")
        plain = http.get(f"{nginx.plain_url}/mw/docs")
        assert (plain.status_code, plain.headers["Location"]) == (308, "https://localhost/mw/docs")


def test_predictions_and_problems_come_through_unchanged(nginx: Nginx, service: KeyedServer) -> None:
    with nginx.http(service.keys["predict"]) as http, service.as_("predict") as direct:
        for instances in ([0.5], ["half"]):
            got = http.post("/v1/models/line/predictions", json={"instances": instances}, headers={"Request-Id": "r"})
            expected = direct.post(
                "/v1/models/line/predictions", json={"instances": instances}, headers={"Request-Id": "r"}
            )
            assert (got.status_code, got.content) == (expected.status_code, expected.content)
            assert got.headers.get("Model-Version") == expected.headers.get("Model-Version")
        assert got.headers["Strict-Transport-Security"]
    with nginx.http() as http:
        refused = http.get("/v1/models")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_python_client(nginx: Nginx, service: KeyedServer) -> None:
    transport = httpx.HTTPTransport(verify=nginx.trust)
    with Client(nginx.url, api_key=service.keys["predict"], transport=transport) as client:
        assert client.predict("line", [0.5])["model_name"] == "line"


def test_an_alias_is_swapped_by_its_etag(nginx: Nginx, service: KeyedServer) -> None:
    with nginx.http(service.keys["admin"]) as http:
        alias = "/v1/models/line/aliases/green"
        assert http.put(alias, json={"version": 1}).status_code == 200
        etag = http.get(alias).headers["ETag"]
        assert http.put(alias, json={"version": 1}, headers={"If-Match": '"999"'}).status_code == 412
        assert http.put(alias, json={"version": 1}, headers={"If-Match": etag}).status_code == 200


def test_large_uploads_are_left_to_the_service(nginx: Nginx, service: KeyedServer) -> None:
    with nginx.http(service.keys["admin"]) as http:
        upload = f"/v1/uploads/{http.post('/v1/uploads', headers={'Upload-Length': str(LARGE)}).json()['id']}"
        headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        answer = http.patch(upload, content=bytes(LARGE), headers=headers)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(LARGE))
        assert http.delete(upload).status_code == 204


def test_events_are_not_held_back(nginx: Nginx, service: KeyedServer) -> None:
    with nginx.http(service.keys["train"]) as http:
        spec = {**LINE, "model_name": "long", "training": {"epochs": 10**7}}
        job = f"/v1/training-jobs/{http.post('/v1/training-jobs', json=spec).json()['id']}"
        with http.stream("GET", f"{job}/events", headers={"Accept": "text/event-stream"}) as events:
            lines = events.iter_lines()
            assert next(line for line in lines if line == "event: metrics")
            assert http.get(job).json()["status"] == "running"  # so the event was sent before the end
            assert http.post(f"{job}/cancel").status_code == 200
            assert any('"cancelled"' in line for line in lines)


def test_a_batch_of_rows_is_answered_before_the_next(nginx: Nginx, service: KeyedServer) -> None:
    head = (
        "POST /mw/v1/models/line/predictions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        f"Authorization: Bearer {service.keys['predict']}\r\nContent-Type: application/x-ndjson\r\n\r\n"
    )
    with nginx.connect() as connection:
        connection.sendall(head.encode() + chunk(b"[0.5]\n" * BATCH_ROWS))
        answer = HTTPResponse(connection)
        answer.begin()
        first = [answer.readline() for _ in range(BATCH_ROWS)]
        connection.sendall(chunk(b"[0.5]\n") + chunk(b""))
        assert (answer.status, answer.read()) == (200, first[0])
    assert len(set(first)) == 1


def chunk(piece: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def test_the_audit_log_has_the_clients_address(nginx: Nginx, service: KeyedServer) -> None:
    """A second address of the loopback is the client; what it claims to be does not count."""
    with httpx.HTTPTransport(verify=nginx.trust, local_address="127.0.0.9") as transport:
        headers = {"Authorization": f"Bearer {service.keys['admin']}", "X-Forwarded-For": "203.0.113.7"}
        with httpx.Client(base_url=nginx.url, transport=transport, headers=headers, timeout=120) as http:
            assert http.put("/v1/models/line/aliases/red", json={"version": 1}).status_code == 200
            lines = http.get("/v1/audit?limit=1000").json()["data"]
    assert [each["client"] for each in lines if each["path"].endswith("/red")][-1] == "127.0.0.9"


def test_the_guide_makes_the_certificate_of_the_tests() -> None:
    guide = " ".join((ROOT / "docs" / "guides" / "production.md").read_text().replace("\\\n", " ").split())
    assert SELF_MADE.partition(" -keyout")[0] in guide
    assert Path(ROOT / "examples" / "proxies" / "traefik.yml").exists()

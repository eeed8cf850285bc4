"""The access log: a line for each answered request; of predictions by default only for refused ones."""

import json
import logging
import re
from collections import Counter
from typing import Any

import httpx
import pytest

from service.telemetry import access_log
from tests.api.conftest import train
from tests.api.keyed import KeyedServer
from tests.api.raw_socket import connect
from tests.harness.server import Server
from tests.harness.until import until

PREDICTIONS = "/v1/models/line/predictions"


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Any:
    """A server with that access log setting, and a model `line`."""
    return request.getfixturevalue({"usual": "keyed", "all": "audited"}[request.param])


def answered(server: Server, since: int = 0) -> list[dict[str, Any]]:
    """The lines of the access log. Every other line must be JSON, too."""
    found = [json.loads(line) for line in server.log()[since:].split("\n")[:-1]]
    return [each for each in found if each["logger"] == "service.telemetry.access_log"]


def send_requests(http: httpx.Client) -> None:
    assert http.get(PREDICTIONS + "?x=0.5").status_code == 200
    assert http.get(PREDICTIONS + "?x=secret").status_code == 422
    assert http.get("/v1/models/line%0a%7b%7d%1b?secret=1", headers={"Cookie": "secret"}).status_code == 422
    assert http.get("/last/" + "x" * 5000).status_code == 404


def logged(server: Server, since: int) -> list[tuple[str, str, int]]:
    """The requests since then up to the last one, without trainings, whose lines may come late."""
    until(lambda: "/last/" in server.log()[since:])
    lines = answered(server, since)
    assert all(0 <= each["seconds"] < 100 and each["level"] == "info" for each in lines)
    assert "secret" not in server.log()
    requests = [(each["method"], each["path"], each["status"]) for each in lines]
    return [each for each in requests if "training-jobs" not in each[1]]


SHOWN = [
    ("GET", PREDICTIONS, 422),
    ("GET", "/v1/models/line\ufffd{}\ufffd", 422),
    ("GET", "/last/" + "x" * 194 + "…", 404),
]


@pytest.mark.parametrize(
    ("server", "first"),
    [("usual", []), ("all", [("GET", PREDICTIONS, 200)])],
    indirect=["server"],
    ids=["usual", "all"],
)
def test_which_requests_are_logged(server: KeyedServer, first: list[tuple[str, str, int]]) -> None:
    since = len(server.log())
    with server.as_("admin") as http:
        send_requests(http)
    assert logged(server, since) == first + SHOWN
    submitted = next(each for each in answered(server) if each["method"] == "POST")
    assert len(submitted["job_id"]) == 24


def test_no_access_log_when_it_is_off(configured: Server) -> None:
    with configured.http_client() as http:
        train(http, "line", training={"epochs": 0})
        send_requests(http)
    assert answered(configured) == []


@pytest.mark.parametrize(("server", "setting"), [("usual", "usual"), ("all", "all")], indirect=["server"])
def test_a_line_has_the_id_of_its_request_and_the_name_of_its_key(server: KeyedServer, setting: str) -> None:
    since = len(server.log())
    before = outside_of_routes(server)
    with server.as_("train") as http:
        job = train(http, "line", training={"epochs": 0})
    big = {"instances": [[1e39]]}  # more than a float32 holds
    requests: list[tuple[str, str, str, Any, int]] = [
        ("train", "GET", "/v1/models", None, 200),
        ("predict", "GET", "/v1/models/nobody", None, 404),
        ("predict", "POST", PREDICTIONS, {"instances": [["x"]]}, 422),
        ("predict", "POST", PREDICTIONS, big, 422),
        ("predict", "DELETE", "/v1/models/line", None, 403),
        ("made-up", "POST", PREDICTIONS, {"instances": [[0.5]]}, 401),
        ("predict", "POST", PREDICTIONS, {"instances": [[0.5]]}, 200),
        ("admin", "GET", "/last/", None, 404),
    ]
    ids = []
    for key, method, path, body, status in requests:
        with server.as_(key) as http:
            reply = http.request(method, path, json=body)
        assert reply.status_code == status, reply.text
        ids.append(reply.headers["request-id"])
    until(lambda: "/last/" in server.log()[since:])
    found = {each["request_id"]: each for each in answered(server, since)}
    for name, (key, method, path, _, status) in zip(ids, requests, strict=True):
        if status == 200 and path == PREDICTIONS and setting == "usual":
            assert name not in found
            continue
        line = found[name]
        assert (line["method"], line["path"], line["status"]) == (method, path, status)
        assert line.get("key") == (None if key == "made-up" else key)
    submitted = next(each for each in found.values() if each.get("job_id") == job["id"])
    assert submitted["key"] == "train"
    assert not [key for key in server.keys.values() if key in server.log()]
    assert (outside_of_routes(server) - before)["DELETE", "403"] == 1


def test_one_refusal_for_overload_a_second_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    scope = {"method": "POST", "path": "/v1/models/line/predictions"}
    with caplog.at_level(logging.INFO, access_log.log.name):
        for _ in range(1000):
            access_log.write(scope, 429, 0.001)
        access_log.write(scope, 503, 0.001)
    messages = [record.getMessage() for record in caplog.records]
    assert len([each for each in messages if each.endswith("429")]) <= 2 and messages[-1].endswith("503")


@pytest.mark.parametrize("server", ["usual"], indirect=True)
def test_refused_connections_are_logged(server: KeyedServer) -> None:
    since = len(server.log())
    before = outside_of_routes(server)
    for _ in range(20):
        with connect(server) as connection:
            connection.sendall(b"GET /livez?secret=1 HTTP/1.1\r\nHost: a b\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 400")
    with connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"a: secret\r\n" * 101 + b"\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 431")
    assert outside_of_routes(server) - before == Counter({("other", "400"): 20, ("other", "431"): 1})
    with server.as_("admin") as http:
        assert http.get("/last/").status_code == 404
    until(lambda: "/last/" in server.log()[since:])
    lines = [each for each in answered(server, since) if each["status"] in (400, 431)]
    assert "secret" not in server.log()
    assert (lines[0]["method"], lines[0]["path"], lines[0]["left_out"]) == ("-", "/livez", 0)
    assert 2 <= len(lines) < 12  # one a second for each status


def outside_of_routes(server: KeyedServer) -> Counter[tuple[str, str]]:
    """The number of requests answered before routing, by method and status."""
    with server.as_("admin") as http:
        metrics = http.get("/metrics").text
    counted = r'modelwright_http_requests_total\{method="(\w+)",route="other",status="(\d+)"\} (\d+)'
    return Counter({(method, status): int(count) for method, status, count in re.findall(counted, metrics)})

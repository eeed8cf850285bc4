"""P-01, P-03: whatever a body is, every endpoint that takes one answers in words of its own, and soon."""

import re
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from service.api.dialects.registry import dialect_of
from service.api.dialects.sagemaker import INVOCATIONS
from service.api.predictions.negotiation import NATIVE
from service.api.schemas.bodies import FORM
from service.app import create_app
from service.settings import Settings
from service.startup import start_up
from tests.api import json_cases
from tests.api.raw_socket import exchange
from tests.harness.server import Server

WRONG = {400, 415, 422}
PARAMETERS = {"version": "1", "alias": "strict"}  # all others are the model `line`


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every method and path of the app that declares a body; paths with their parameters filled in. Files are no bodies of
    JSON, though a table may be one."""
    app = create_app(start_up(Settings.read(home=tmp_path_factory.mktemp("unused")))).framework
    found = []
    for path, item in app.openapi()["paths"].items():
        filled = re.sub(r"\{(\w+)[^}]*\}", lambda name: PARAMETERS.get(name[1], "line"), path)
        bodies = {method: told["requestBody"]["content"] for method, told in item.items() if "requestBody" in told}
        found += [(method.upper(), filled) for method, content in bodies.items() if FORM not in content]
    assert len(found) >= 7
    return [each for each in found if each[1] != INVOCATIONS]  # nobody's where no default model is named


def answers(
    http: httpx.Client, endpoints: list[tuple[str, str]], bodies: dict[str, bytes], media_type: str
) -> list[tuple[str, str, str, httpx.Response]]:
    """By the standard library's client: httpx takes as long as the service, and these are thousands."""
    told = []
    with closing(HTTPConnection(http.base_url.host, http.base_url.port, timeout=120)) as connection:
        for method, path in endpoints:
            for name, body in bodies.items():
                connection.request(method, path, body, {"Content-Type": media_type})
                reply = connection.getresponse()
                answer = httpx.Response(reply.status, headers=reply.getheaders(), content=reply.read())
                told.append((method, path, name, answer))
    return told


def test_p01_bodies_that_are_not_json_are_refused_everywhere(
    http: httpx.Client, line: dict[str, Any], endpoints: list[tuple[str, str]]
) -> None:
    bodies = json_cases.none()
    told = answers(http, endpoints, bodies, "application/json")
    told = [each for each in told if bodies[each[2]].strip() or not each[1].startswith("/v2/repository/")]  # need none
    assert [each[:3] for each in told if each[3].status_code not in WRONG] == []
    forms = {(dialect_of(each[1]) is NATIVE, each[3].headers["Content-Type"]) for each in told}
    assert forms == {(True, "application/problem+json"), (False, "application/json")}


def test_p01_valid_json_never_causes_a_server_error_or_invalid_json(
    http: httpx.Client, line: dict[str, Any], endpoints: list[tuple[str, str]]
) -> None:
    told = answers(http, endpoints, json_cases.some(), "application/json")
    assert [each[:3] for each in told if each[3].status_code >= 500 or b'"invalid_json"' in each[3].content] == []


def test_p01_json_that_parsers_read_differently_never_causes_a_server_error(
    http: httpx.Client, line: dict[str, Any], endpoints: list[tuple[str, str]]
) -> None:
    told = answers(http, endpoints, json_cases.open_questions(), "application/json")
    assert [each[:3] for each in told if each[3].status_code >= 500] == []


def test_p01_rows_that_are_not_json(http: httpx.Client, line: dict[str, Any]) -> None:
    """As lines; and some as a table of lines, each of which costs a process of its own."""
    rows = [("POST", "/v1/models/line/predictions")]
    for method, path, name, answer in answers(http, rows, json_cases.none(), "application/x-ndjson"):
        assert answer.status_code in WRONG or _is_two_rows(name, answer), (method, path, name, answer.text)
    tables = [("PUT", "/v1/datasets/strict")]
    some = {name: body for name, body in json_cases.none().items() if name.startswith("own document")}
    for media_type in ("application/x-ndjson", "application/json"):
        told = answers(http, tables, dict(list(some.items())[2::5]), media_type)
        assert [each[:3] for each in told if each[3].status_code >= 500] == []


def _is_two_rows(name: str, answer: httpx.Response) -> bool:
    """`1` and `2` on a line each are no JSON, but are JSON Lines."""
    return answer.status_code == 200 and len(answer.text.splitlines()) == 2


def test_p03_deep_and_long_bodies_take_little_processor_time(
    server: Server, http: httpx.Client, line: dict[str, Any], endpoints: list[tuple[str, str]]
) -> None:
    """250,000 lists in lists, 5,000 digits, 70,000 chunks of a byte: refused, within 50 ms of processor each on average."""
    bodies = {"deep": b"[" * 250_000, "digits": b"[" + b"1" * 5000 + b"]"}
    headers = (
        "Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    bytewise = b"1\r\n[\r\n" * 70_000 + b"0\r\n\r\n"
    own, times = psutil.Process(server.process.pid), 5
    for method, path in endpoints:
        before = sum(own.cpu_times()[:2])
        for _ in range(times):
            for body in bodies.values():
                answer = http.request(method, path, content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code in WRONG
            heard = exchange(server, f"{method} {path} HTTP/1.1\r\n{headers}".encode(), bytewise)
            assert heard.statuses[0] in WRONG and len(heard.statuses) == 1
        spent = sum(own.cpu_times()[:2]) - before
        assert spent / (3 * times) < 0.05, (method, path)


def test_p03_a_body_of_many_small_values_has_bounded_memory(
    server: Server, http: httpx.Client, line: dict[str, Any]
) -> None:
    """16 MiB can hold five million lists, which would take some 700 MB; and one text can be all escapes."""
    assert http.get("/livez").status_code == 200
    before = psutil.Process(server.process.pid).memory_info().rss
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # whatever peak there was before
    few = 2**20
    for body in (b"[" + b"[]," * (4 * few) + b"[]]", b'[{"a":1,"b":"' + b"\\n" * (7 * few) + b'"}]'):
        for path in ("/v1/training-jobs/validate", "/v1/models/line/predictions"):
            answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (413, 422), answer.text
    assert _peak(server.process.pid) - before < 160 * 2**20  # some copies of the body itself


def _peak(pid: int) -> int:
    line = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert line is not None
    return int(line[1]) * 1024


def test_p03_a_large_body_does_not_delay_other_requests(
    server: Server, http: httpx.Client, line: dict[str, Any]
) -> None:
    """It is read beside the event loop."""
    body = (
        b'{"model_name": "a", "data": {"kind": "rows", "target": "y", "records": ['
        + b'{"y": 1},' * 900_000
        + b'{"y": 1}]}}'
    )
    head = f"POST /v1/training-jobs/validate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    heard = exchange(server, head.encode(), body[: 2**20], patience=0.1)  # its head is let in
    assert heard.statuses == []
    began = time.monotonic()
    assert http.get("/livez").status_code == 200
    assert time.monotonic() - began < 1

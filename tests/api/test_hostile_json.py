"""P-01, P-03: for any body, every endpoint that takes one answers in its own error format, and soon."""

import re
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
PARAMETERS = {"version": "1", "alias": "strict"}  # every other name is the model `line`
# Every endpoint gets half of the bodies, and the next one the other half: most are neighbours of another address of the same
# operation. In scripts/nightly every endpoint gets all.
some_or_all = pytest.mark.parametrize("step", [2, pytest.param(1, marks=pytest.mark.nightly)])


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every method and path of the app that declares a JSON body, with parameters filled in. Uploaded files are left
    out, though a table may be JSON."""
    app = create_app(start_up(Settings.read(home=tmp_path_factory.mktemp("unused")))).framework
    found = []
    for path, item in app.openapi()["paths"].items():
        filled = re.sub(r"\{(\w+)[^}]*\}", lambda name: PARAMETERS.get(name[1], "line"), path)
        bodies = {method: each["requestBody"]["content"] for method, each in item.items() if "requestBody" in each}
        found += [(method.upper(), filled) for method, content in bodies.items() if FORM not in content]
    assert len(found) >= 7
    return [each for each in found if each[1] != INVOCATIONS]  # answers 404 without a default model


def answers(
    http: httpx.Client, endpoints: list[tuple[str, str]], bodies: dict[str, bytes], media_type: str, step: int = 1
) -> list[tuple[str, str, str, httpx.Response]]:
    """Sends to the first endpoint every `step`th body from the first on, to the next from the second on, and so on.

    With the standard library's client: httpx takes as long as the service, and there are thousands of requests."""
    results = []
    with closing(HTTPConnection(http.base_url.host, http.base_url.port, timeout=120)) as connection:
        for position, (method, path) in enumerate(endpoints):
            for name, body in list(bodies.items())[position % step :: step]:
                connection.request(method, path, body, {"Content-Type": media_type})
                reply = connection.getresponse()
                answer = httpx.Response(reply.status, headers=reply.getheaders(), content=reply.read())
                results.append((method, path, name, answer))
    return results


@some_or_all
def test_p01_bodies_that_are_not_json_are_refused_everywhere(
    http: httpx.Client, line: dict[str, Any], endpoints: list[tuple[str, str]], step: int
) -> None:
    bodies = json_cases.none()
    results = answers(http, endpoints, bodies, "application/json", step)
    # The repository's routes need no body.
    results = [each for each in results if bodies[each[2]].strip() or not each[1].startswith("/v2/repository/")]
    assert [each[:3] for each in results if each[3].status_code not in WRONG] == []
    forms = {(dialect_of(each[1]) is NATIVE, each[3].headers["Content-Type"]) for each in results}
    assert forms == {(True, "application/problem+json"), (False, "application/json")}


@some_or_all
def test_p01_valid_json_never_causes_a_server_error_or_invalid_json(
    http: httpx.Client, line: dict[str, Any], endpoints: list[tuple[str, str]], step: int
) -> None:
    results = answers(http, endpoints, json_cases.some(), "application/json", step)
    assert [each[:3] for each in results if each[3].status_code >= 500 or b'"invalid_json"' in each[3].content] == []


def test_p01_json_that_parsers_read_differently_never_causes_a_server_error(
    http: httpx.Client, line: dict[str, Any], endpoints: list[tuple[str, str]]
) -> None:
    results = answers(http, endpoints, json_cases.open_questions(), "application/json")
    assert [each[:3] for each in results if each[3].status_code >= 500] == []


def test_p01_rows_that_are_not_json(http: httpx.Client, line: dict[str, Any]) -> None:
    """As JSON Lines; some also as a table of lines, each of which takes a process."""
    rows = [("POST", "/v1/models/line/predictions")]
    for method, path, name, answer in answers(http, rows, json_cases.none(), "application/x-ndjson"):
        assert answer.status_code in WRONG or _is_two_rows(name, answer), (method, path, name, answer.text)
    tables = [("PUT", "/v1/datasets/strict")]
    some = {name: body for name, body in json_cases.none().items() if name.startswith("own document")}
    for media_type in ("application/x-ndjson", "application/json"):
        results = answers(http, tables, dict(list(some.items())[2::5]), media_type)
        assert [each[:3] for each in results if each[3].status_code >= 500] == []


def _is_two_rows(name: str, answer: httpx.Response) -> bool:
    """Whether this is `1` and `2` on a line each: not JSON, but JSON Lines."""
    return answer.status_code == 200 and len(answer.text.splitlines()) == 2


def test_p03_deep_and_long_bodies_take_little_processor_time(
    server: Server, http: httpx.Client, line: dict[str, Any], endpoints: list[tuple[str, str]]
) -> None:
    """250,000 nested lists, 5,000 digits, 70,000 chunks of a byte: refused within 50 ms of processor time each on
    average."""
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
            received = exchange(server, f"{method} {path} HTTP/1.1\r\n{headers}".encode(), bytewise)
            assert received.statuses[0] in WRONG and len(received.statuses) == 1
        spent = sum(own.cpu_times()[:2]) - before
        assert spent / (3 * times) < 0.05, (method, path)


def test_p03_a_body_of_many_small_values_has_bounded_memory(
    server: Server, http: httpx.Client, line: dict[str, Any]
) -> None:
    """16 MiB can hold five million lists, which would take some 700 MB; a string can consist of escapes."""
    assert http.get("/livez").status_code == 200
    before = psutil.Process(server.process.pid).memory_info().rss
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # resets the peak
    few = 2**20
    for body in (b"[" + b"[]," * (4 * few) + b"[]]", b'[{"a":1,"b":"' + b"\\n" * (7 * few) + b'"}]'):
        for path in ("/v1/training-jobs/validate", "/v1/models/line/predictions"):
            answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (413, 422), answer.text
    assert _peak(server.process.pid) - before < 160 * 2**20  # a few copies of the body


def _peak(pid: int) -> int:
    line = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert line is not None
    return int(line[1]) * 1024


def test_p03_a_large_body_does_not_delay_other_requests(
    server: Server, http: httpx.Client, line: dict[str, Any]
) -> None:
    """It is decoded outside of the event loop."""
    body = (
        b'{"model_name": "a", "data": {"kind": "rows", "target": "y", "records": ['
        + b'{"y": 1},' * 900_000
        + b'{"y": 1}]}}'
    )
    head = f"POST /v1/training-jobs/validate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    received = exchange(server, head.encode(), body[: 2**20], timeout=0.1)  # its head is accepted
    assert received.statuses == []
    assert http.get("/livez", timeout=10).status_code == 200

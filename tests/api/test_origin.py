"""A service without keys serves only its own machine: requests that other sites cause a browser to send are refused
(P-14)."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.middleware.browser_guard import check_browser
from tests.api.test_edge import problem
from tests.harness.server import Server

REBOUND = ["evil.com", "evil.com:8000", "localhost.evil.com", "127.0.0.1.evil.com", "0.0.0.0:1", "[::]", "169.254.169.254",
           "10.0.0.1:8000", "127.1", "2130706433"]  # fmt: skip
NO_HOST = ["127.0.0.1@evil.com", "127.0.0.1:8000:1", "localhost:", "localhost:a", "[::1", "::1", "localhost,evil.com",
           "localhost evil.com", "a" * 5000]  # fmt: skip
OURS = [
    "localhost",
    "localhost:{}",
    "LocalHost:1",
    "127.0.0.1:{}",
    "127.0.0.2",
    "[::1]",
    "[::1]:{}",
    "[0:0:0:0:0:0:0:1]:1",
]
FOREIGN = [
    "http://evil.com",
    "https://127.0.0.1",
    "null",
    "http://localhost:1",
    "file://",
    "",
    "http://127.0.0.1.evil.com",
]


@pytest.mark.parametrize("host", REBOUND)
def test_dns_rebinding_is_refused(http: httpx.Client, host: str) -> None:
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/models/line/predictions"), ("DELETE", "/v1/models/x"),
                         ("GET", "/v1/datasets"), ("GET", "/metrics")):  # fmt: skip
        assert problem(http.request(method, path, headers={"Host": host})) == (403, "forbidden")
    for path in ("/livez", "/docs"):  # which show nothing of the service's data
        assert http.get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", NO_HOST)
def test_invalid_hosts_are_refused(http: httpx.Client, host: str) -> None:
    """By the parser of the head or by the check of the loopback."""
    assert check_browser("GET", {b"host": host.encode()}, any_host=False) is not None
    assert http.get("/v1/models", headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", OURS)
def test_names_of_the_loopback(http: httpx.Client, server: Server, host: str) -> None:
    port = server.url.rpartition(":")[2]
    assert http.get("/v1/models", headers={"Host": host.format(port)}).status_code == 200


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-www-form-urlencoded"])
def test_pages_of_other_sites_change_nothing(http: httpx.Client, line: dict[str, Any], origin: str, kind: str) -> None:
    before = http.get("/v1/training-jobs").json()
    for method, path in (("POST", "/v1/training-jobs"), ("POST", "/v1/models/line/predictions"), ("DELETE", "/v1/models/line"),
                         ("PUT", "/v1/models/line/aliases/blue"), ("POST", "/v1/keys")):  # fmt: skip
        answer = http.request(method, path, content=b"{}", headers={"Origin": origin, "Content-Type": kind})
        assert problem(answer) == (403, "forbidden")
        assert not any(name.lower().startswith("access-control") for name in answer.headers)
    assert http.get("/v1/training-jobs").json() == before
    assert http.get("/v1/models/line").status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site", "", "nonsense"])
def test_cross_site_requests_without_origin_are_refused(http: httpx.Client, line: dict[str, Any], site: str) -> None:
    for method, path in (("POST", "/v1/models/line/predictions"), ("DELETE", "/v1/models/line"), ("PATCH", "/v1/datasets/x"),
                         ("PUT", "/v1/datasets/x"), ("POST", "/v1/datasets/x")):  # fmt: skip
        answer = http.request(method, path, content=b"{}", headers={"Sec-Fetch-Site": site})
        assert problem(answer) == (403, "forbidden")
    assert http.get("/v1/models/line", headers={"Sec-Fetch-Site": site}).status_code == 200  # a link may lead here


def test_same_origin_requests_are_accepted(http: httpx.Client, server: Server, line: dict[str, Any]) -> None:
    for headers in (
        {"Origin": server.url},
        {"Origin": server.url, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ):
        answer = http.post("/v1/models/line/predictions", json={"instances": [1]}, headers=headers)
        assert answer.status_code == 200
    assert http.options("/v1/models", headers={"Origin": "http://evil.com"}).status_code == 405


@given(st.binary(max_size=40), st.sampled_from(["GET", "POST", "DELETE"]), st.booleans())
def test_any_origin_bytes_are_handled(value: bytes, method: str, any_host: bool) -> None:
    """No bytes cause an error, and only loopback names pass."""
    host = check_browser(method, {b"host": value}, any_host=any_host)
    assert any_host or host is not None or value.lower().lstrip(b"[").startswith((b"localhost", b"127.", b"::1", b"0:"))
    origin = check_browser(method, {b"host": b"localhost", b"origin": value}, any_host=any_host)
    assert (origin is None) == (method == "GET" or value.lower().endswith(b"://localhost"))


def test_pages_of_a_named_origin_change_something() -> None:
    def allows(origin: bytes) -> bool:
        return origin == b"https://app.example"

    for origin, refused in ((b"https://app.example", False), (b"https://other.example", True), (b"null", True)):
        headers = {b"host": b"localhost:8000", b"origin": origin, b"sec-fetch-site": b"cross-site"}
        assert (check_browser("POST", headers, any_host=False, allows=allows) is not None) == refused
    rebound = {b"host": b"evil.com", b"origin": b"https://app.example"}
    assert check_browser("POST", rebound, any_host=False, allows=allows) is not None


def test_a_request_without_host_is_refused() -> None:
    assert check_browser("GET", {}, any_host=False) is not None

"""Resumable uploads over HTTP, and the import of what was uploaded."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.keyed import KeyedServer
from tests.api.test_edge import problem
from tests.harness.server import Server
from tests.harness.until import until

PIECE = {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def bundle(http: httpx.Client, line: dict[str, Any]) -> bytes:
    return http.get("/v1/models/line/versions/1/bundle").content


@pytest.fixture
def begin(http: httpx.Client) -> Iterator[Any]:
    """Begins an upload of that length, which is deleted afterwards."""
    made = []

    def begin(length: int) -> str:
        answer = http.post("/v1/uploads", headers={"Upload-Length": str(length)})
        assert answer.status_code == 201, answer.text
        made.append(answer.headers["Location"])
        return made[-1]

    yield begin
    for address in made:
        http.delete(address)


def send(http: httpx.Client, address: str, offset: object, content: bytes, **headers: str) -> httpx.Response:
    return http.patch(address, content=content, headers={**PIECE, "Upload-Offset": str(offset), **headers})


def offset(http: httpx.Client, address: str) -> int:
    answer = http.head(address)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def test_a_bundle_in_pieces_is_imported_and_its_upload_removed(http: httpx.Client, begin: Any, bundle: bytes) -> None:
    address = begin(len(bundle))
    for start in range(0, len(bundle), 1000):
        piece = bundle[start : start + 1000]
        answer = send(http, address, start, piece)
        assert (answer.status_code, answer.content) == (204, b"")
        assert int(answer.headers["Upload-Offset"]) == start + len(piece) == offset(http, address)
    shown = http.get(address)
    assert shown.json().items() >= {"length": len(bundle), "offset": len(bundle)}.items()
    assert shown.headers["Tus-Resumable"] == "1.0.0" and "GMT" in shown.headers["Upload-Expires"]
    body = {"upload": shown.json()["id"]}
    taken = http.post("/v1/models/in-pieces/versions", json=body)
    assert (taken.status_code, taken.headers["Location"]) == (201, "/v1/models/in-pieces/versions/1")
    assert http.get("/v1/models/in-pieces/versions/1/bundle").content == bundle
    assert http.head(address).status_code == 404
    assert problem(http.post("/v1/models/in-pieces/versions", json=body)) == (404, "upload_not_found")
    again = begin(len(bundle))
    send(http, again, 0, bundle)
    taken = http.post("/v1/models/in-pieces/versions", json={"upload": again.rpartition("/")[2]})
    assert (taken.status_code, taken.json()["version"]) == (200, 1)


def test_what_has_arrived_of_a_broken_connection_is_kept(
    server: Server, http: httpx.Client, begin: Any, bundle: bytes
) -> None:
    address, parts = begin(len(bundle)), urlsplit(server.url)
    head = f"PATCH {address} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpload-Offset: 0\r\n"
    head += f"Content-Type: {PIECE['Content-Type']}\r\nContent-Length: {len(bundle)}\r\n\r\n"
    sent = bundle[:-10]
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(head.encode() + sent)
        until(lambda: offset(http, address) > 0)
    kept = offset(http, address)
    assert 0 < kept <= len(sent)
    assert send(http, address, kept, bundle[kept:]).status_code == 204
    taken = http.post("/v1/models/broken/versions", json={"upload": address.rpartition("/")[2]})
    assert taken.status_code == 201 and http.get("/v1/models/broken/versions/1/bundle").content == bundle


@pytest.mark.parametrize("wrong", ["1", "3", "11", "999999999999999999"])
def test_another_offset_is_refused(http: httpx.Client, begin: Any, wrong: str) -> None:
    address = begin(10)
    assert send(http, address, 0, b"ab").status_code == 204
    answer = send(http, address, wrong, b"xyz")
    assert problem(answer) == (409, "upload_conflict") and "offset 2" in answer.json()["detail"]
    assert offset(http, address) == 2


NUMBERS = ["", "-1", "+1", "1.0", "1e3", "0x10", "ten", "01", "1_000", "9" * 19, "9" * 5000, "\u00b2"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_that_are_none(http: httpx.Client, begin: Any, number: str) -> None:
    given = {b"Upload-Length": number.encode("latin-1")}
    assert problem(http.post("/v1/uploads", headers=given)) == (422, "invalid_request")
    address = begin(10)
    answer = http.patch(
        address,
        content=b"a",
        headers={b"Content-Type": PIECE["Content-Type"].encode(), b"Upload-Offset": number.encode("latin-1")},
    )
    assert problem(answer) == (422, "invalid_request")
    assert offset(http, address) == 0


def test_limits(http: httpx.Client, begin: Any) -> None:
    assert problem(http.post("/v1/uploads")) == (422, "invalid_request")
    assert problem(http.post("/v1/uploads", headers={"Upload-Length": str(10 * 2**30 + 1)})) == (413, "too_large")
    address = begin(10)
    assert problem(send(http, address, 0, b"a" * 11)) == (413, "too_large")
    assert offset(http, address) == 0
    assert problem(send(http, address, 0, iter([b"a" * 8, b"a" * 8]))) == (413, "too_large")  # type: ignore[arg-type]
    assert offset(http, address) <= 8
    for headers in ({"Content-Type": "application/zip"}, {"Content-Encoding": "gzip"}):
        assert problem(send(http, address, 0, b"a", **headers)) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "upload",
    ["x", "..", "%2e%2e", "..%2f..%2fhome.json", "%2fetc%2fpasswd", "0" * 31, "0" * 33, "0" * 32, "A" * 32, "0" * 31 + "%00",
     "0" * 31 + "%0a", "0" * 32 + "%2fdata", ".lock"],
)  # fmt: skip
def test_ids_that_are_none(server: Server, http: httpx.Client, upload: str) -> None:
    url = http.base_url.copy_with(raw_path=f"/v1/uploads/{upload}".encode())
    headers = {**PIECE, "Upload-Offset": "0"}
    for method in ("GET", "PATCH", "DELETE"):
        answer = http.send(http.build_request(method, url, headers=headers))
        assert problem(answer)[0] == 404 and str(server.home) not in answer.text
    answer = http.post("/v1/models/none/versions", json={"upload": upload.replace("%00", "\0")})
    assert problem(answer) == (404, "upload_not_found")


@pytest.mark.parametrize("body", [{}, [], {"upload": 1}, {"upload": None}, {"upload": "a", "more": 1}, {"id": "a"}])
def test_bodies_that_name_no_upload(http: httpx.Client, body: Any) -> None:
    assert problem(http.post("/v1/models/none/versions", json=body)) == (422, "invalid_request")


def test_an_incomplete_upload_is_not_imported(http: httpx.Client, begin: Any, bundle: bytes) -> None:
    address = begin(len(bundle))
    send(http, address, 0, bundle[:-1])
    body = {"upload": address.rpartition("/")[2]}
    assert problem(http.post("/v1/models/none/versions", json=body)) == (409, "upload_conflict")
    assert send(http, address, len(bundle) - 1, bundle[-1:]).status_code == 204
    assert problem(http.post("/v1/models/Not A Name/versions", json=body)) == (422, "invalid_name")
    assert offset(http, address) == len(bundle)


@pytest.mark.parametrize("change", [lambda b: b + b"x", lambda b: b[:-1], lambda b: b[:200] + b"x" + b[201:]])
def test_what_is_no_bundle_is_refused_and_removed(http: httpx.Client, begin: Any, bundle: bytes, change: Any) -> None:
    content = change(bundle)
    address = begin(len(content))
    assert send(http, address, 0, content).status_code == 204
    answer = http.post("/v1/models/none/versions", json={"upload": address.rpartition("/")[2]})
    assert problem(answer) == (422, "invalid_bundle")
    assert http.get(address).status_code == 404 and http.get("/v1/models/none").status_code == 404


def test_uploads_belong_to_their_key(keyed: KeyedServer) -> None:
    with keyed.as_("admin") as http:
        address = http.post("/v1/uploads", headers={"Upload-Length": "3"}).headers["Location"]
        other = http.post("/v1/keys", json={"name": "other", "scopes": ["admin"]}).json()["key"]
        with keyed.http_client() as stranger:
            stranger.headers["Authorization"] = f"Bearer {other}"
            assert stranger.get(address).status_code == 404
            assert problem(send(stranger, address, 0, b"abc")) == (404, "upload_not_found")
            body = {"upload": address.rpartition("/")[2]}
            assert problem(stranger.post("/v1/models/none/versions", json=body)) == (404, "upload_not_found")
            assert problem(stranger.delete(address)) == (404, "upload_not_found")
            keyed.keys["other"] = other
        assert send(http, address, 0, b"abc").status_code == 204
        assert http.delete(address).status_code == 204 and http.get(address).status_code == 404

"""Files in forms (`multipart/form-data`), and malicious forms."""

import gzip
import io
import zipfile
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.api.conftest import MAX_UPLOAD_BYTES
from tests.api.raw_socket import Received, connect, listen
from tests.harness.server import Server
from tests.harness.until import until

FORM = "multipart/form-data; boundary=b"
END = b"--b--\r\n"
MIB = 2**20
LIMIT = MAX_UPLOAD_BYTES


def part(name: str, content: bytes, *headers: str, filename: str | None = None) -> bytes:
    about = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    lines = ["--b", f"Content-Disposition: {about}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


FILE = part("file", b"x;y\n1,5;a\n2,5;b\n", "Content-Type: text/csv", filename="houses.csv")


def send(http: httpx.Client, body: bytes, given: str = FORM, query: str = "", method: str = "POST") -> httpx.Response:
    return http.request(method, f"/v1/datasets/formed{query}", content=body, headers={"Content-Type": given})


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_form_is_read_as_the_file_in_it(http: httpx.Client, method: str) -> None:
    path = f"/v1/datasets/form-{method.lower()}"
    content = b"x;y\n1,5;a\n2,5;b\n"
    fields = {"types": '{"y": "category"}', "missing": "NA,?"}
    first = http.request(method, path, files={"any": ("houses.csv", content)}, data=fields)
    assert first.status_code == 201, first.text
    about = first.json()
    assert (about["media_type"], about["bytes"], about["reading"]["separator"]) == ("text/csv", len(content), ";")
    assert sorted(about["reading"]["missing"]) == ["?", "NA"]
    raw = http.put(path, params=fields, content=content, headers={"Content-Type": "text/csv"})
    assert (raw.status_code, raw.json()) == (200, about)
    lines = http.get("/v1/audit", params={"limit": 1000}).json()["data"]
    uploaded = [
        change for line in lines for change in line["changes"] if change["on"] == f"{path.rpartition('/')[2]}/1"
    ]
    assert [(change["what"], change["to"]) for change in uploaded] == [("dataset.uploaded", about["digest"])]


@pytest.mark.parametrize(
    ("filename", "content_type", "content", "media_type"),
    [
        ("a.json", "application/octet-stream", b'[{"x": 1}, {"x": 2}]', "application/json"),
        ("a.txt", "application/json", b'[{"x": 1}, {"x": 2}]', "application/json"),
        ("a.JSONL", "image/png", b'{"x": 1}\n{"x": 2}\n', "application/x-ndjson"),
        ("a.csv.gz", "application/gzip", gzip.compress(b"x,y\n1,2\n", mtime=0), "text/csv"),
        (r"C:\tables\a.csv", "text/plain", b"x,y\n1,2\n", "text/csv"),
        ("", "", b"x,y\n1,2\n", "text/csv"),
        ("a.csv", "text/csv; charset=utf-16", "x,y\n1,2\n".encode("utf-16"), "text/csv"),
    ],
)
def test_file_names_and_media_types_in_forms(
    http: httpx.Client, filename: str, content_type: str, content: bytes, media_type: str
) -> None:
    headers = [f"Content-Type: {content_type}"] if content_type else []
    answer = send(http, part("file", content, *headers, filename=filename) + END)
    assert answer.status_code in (200, 201), answer.text
    assert answer.json()["media_type"] == media_type


def test_bytes_similar_to_a_boundary_belong_to_the_file(http: httpx.Client) -> None:
    content = b"x,y\r\n--b,1\r\n--,2\r\n\r--bb,3\r\n--b-,4\r\n"
    answer = send(http, part("file", content, filename="a.csv") + END)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["rows"], answer.json()["bytes"]) == (4, len(content))


def test_a_form_byte_by_byte(server: Server) -> None:
    body = part("separator", b";") + FILE + END
    head = (
        f"POST /v1/datasets/bytewise HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked"
    )
    with connect(server) as connection:
        connection.sendall(head.encode() + b"\r\n\r\n")
        for at in range(len(body)):
            connection.sendall(b"1\r\n" + body[at : at + 1] + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        received = listen(connection, 20)
    assert received.statuses == [201] and b'"rows":2' in received.text


SEVERAL = b"".join(part("missing", b"%d" % number) for number in range(10))
BAD: list[tuple[str, bytes, str, int, str]] = [
    ("two files", FILE + FILE + END, FORM, 422, "/file: a second file"),
    ("no file", part("decimal", b",") + END, FORM, 422, "the form has no file"),
    ("nothing", END, FORM, 422, "the form has no file"),
    ("an empty file", part("file", b"", filename="") + END, FORM, 422, "the file is empty"),
    ("11 fields", SEVERAL + part("missing", b"x") + FILE + END, FORM, 422, "at most 10"),
    ("11 fields behind the file", FILE + SEVERAL + part("missing", b"x") + END, FORM, 422, "at most 10"),
    ("an unknown field", FILE + part("seperator", b";") + END, FORM, 422, "/seperator: unknown field"),
    ("a field twice", FILE + part("decimal", b",") * 2 + END, FORM, 422, "/decimal: is said twice"),
    ("a field of other bytes", FILE + part("decimal", b"\xff") + END, FORM, 400, "not UTF-8"),
    ("a large field", FILE + part("types", b" " * 2 * MIB) + END, FORM, 413, "beside the file"),
    ("no boundary", FILE + END, "multipart/form-data", 400, "boundary="),
    ("an empty boundary", FILE + END, "multipart/form-data; boundary=", 400, "boundary="),
    ("another boundary", FILE + END, "multipart/form-data; boundary=c", 400, "cannot be read"),
    ("a long boundary", FILE + END, "multipart/form-data; boundary=" + "b" * 1000, 400, "its boundary"),
    ("cut short in the file", FILE[:-20], FORM, 400, "cut short"),
    ("cut short before the end", FILE + b"--b", FORM, 400, "cut short"),
    ("cut short in a header", FILE[:30], FORM, 400, "cut short"),
    ("no bytes", b"", FORM, 400, "cut short"),
    ("lines without end", b"\r\n" * MIB, FORM, 400, "cut short"),
    ("an endless header", b"--b\r\nA: " + b"a" * MIB, FORM, 400, "4 KiB"),
    ("an endless name of a header", b"--b\r\nA" + b"a" * MIB, FORM, 400, "4 KiB"),
    ("an endless name of a file", part("file", b"x", filename="a" * MIB) + END, FORM, 400, "4 KiB"),
    (
        "many headers",
        part("file", b"x", *(f"A{n}: b" for n in range(1000)), filename="a") + END,
        FORM,
        400,
        "8 headers",
    ),
    ("a header twice", part("f", b"x", "A: b", "a: b", filename="a") + END, FORM, 400, "twice"),
    ("parts without a name", b"--b\r\n\r\nx\r\n" + END, FORM, 400, "Content-Disposition"),
    ("base64", part("f", b"eA==", "Content-Transfer-Encoding: base64", filename="a") + END, FORM, 400, "as they are"),
    ("no form", b"x,y\n1,2\n", FORM, 400, "cannot be read"),
]


@pytest.mark.parametrize(("name", "body", "given", "status", "detail"), BAD, ids=[each[0] for each in BAD])
def test_invalid_forms_are_refused(
    server: Server, http: httpx.Client, name: str, body: bytes, given: str, status: int, detail: str
) -> None:
    answer = http.post("/v1/datasets/bad-form", content=body, headers={"Content-Type": given})
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json" and detail in answer.json()["detail"]
    assert http.get("/v1/datasets/bad-form").status_code == 404
    until(lambda: server.temporary_files() == [])


def test_options_in_the_query_and_in_the_form(http: httpx.Client) -> None:
    both = send(http, part("decimal", b",") + FILE + END, query="?decimal=.")
    assert (both.status_code, both.json()["detail"]) == (422, "/decimal: is said twice; once is enough")
    assert send(http, part("decimal", b".") + FILE + END, query="?separator=;").json()["reading"]["decimal"] == "."


def test_ten_fields_and_a_compressed_form(http: httpx.Client) -> None:
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}
    answer = http.post("/v1/datasets/ten", content=gzip.compress(SEVERAL + FILE + END), headers=headers)
    assert answer.status_code == 201 and answer.json()["reading"]["missing"] == [str(number) for number in range(10)]


def send_endlessly(server: Server, start: bytes, most: int) -> tuple[Received, int, int]:
    """Sends an endless file in a form. Returns the response, the bytes sent, and the size of the largest file on the
    disk."""
    head = f"POST /v1/datasets/poured HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked"
    sent = largest = 0
    with connect(server) as connection:
        with suppress(ConnectionError):
            connection.sendall(head.encode() + b"\r\n\r\n" + b"%x\r\n" % len(start) + start + b"\r\n")
            while sent < most:
                sent += connection.send(b"10000\r\n" + b"1,2\n" * 0x4000 + b"\r\n")
                for file in server.temporary_files():
                    with suppress(FileNotFoundError):
                        largest = max(largest, file.stat().st_size)
        return listen(connection, 20), sent, largest


def test_p04_a_file_in_a_form_is_read_only_up_to_its_limit(configured: Server) -> None:
    received, sent, largest = send_endlessly(configured, FILE.removesuffix(b"\r\n"), 100 * MIB)
    assert received.statuses == [413] and received.ended
    assert LIMIT <= sent < 50 * MIB and largest <= LIMIT + MIB
    until(lambda: configured.temporary_files() == [])


def test_p04_a_form_declared_too_large_is_not_read(configured: Server) -> None:
    head = f"POST /v1/datasets/large HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {10**9}\r\n\r\n"
    with connect(configured) as connection:
        connection.sendall(head.encode())
        assert listen(connection, 20).statuses == [413]


@pytest.mark.parametrize(("bytes_", "status"), [(LIMIT, 201), (LIMIT + 1, 413)])
def test_the_limit_applies_to_the_file(configured: Server, bytes_: int, status: int) -> None:
    content = b"x,y\n" + b"1,2\n" * (LIMIT // 4 - 1)
    with configured.http_client() as http:
        content = content[: bytes_ - 1] + b"\n" if bytes_ <= LIMIT else content + b"\n"
        answer = http.post("/v1/datasets/just", files={"file": ("a.csv", content)})
        assert answer.status_code == status, answer.text


def _bomb(kind: str) -> bytes:
    if kind == "gzip":
        return gzip.compress(b"x,y\n" + b"1,2\n" * (LIMIT // 2))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind == "zip":
            archive.writestr("a.csv", b"x,y\n" + b"1,2\n" * (LIMIT // 2))
        else:
            archive.writestr("xl/workbook.xml", b" " * (2 * LIMIT))
    return made.getvalue()


@pytest.mark.parametrize("kind", ["gzip", "zip", "xlsx"])
def test_p04_the_limit_applies_to_decompressed_files(configured: Server, kind: str) -> None:
    content = _bomb(kind)
    assert len(content) < LIMIT / 50
    with configured.http_client() as http:
        for answer in (
            http.put("/v1/datasets/bomb", content=content),
            http.post("/v1/datasets/bomb", files={"file": (f"a.csv.{kind}", content)}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data"), answer.text
            assert str(LIMIT) in answer.json()["detail"]
        assert http.get("/v1/datasets/bomb").status_code == 404
    until(lambda: configured.temporary_files() == [])


def test_an_aborted_form_leaves_no_file(server: Server, http: httpx.Client) -> None:
    head = f"POST /v1/datasets/broken-form HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: 1000000\r\n"
    with connect(server) as connection:
        connection.sendall(head.encode() + b"\r\n" + FILE + b"1,2\n" * 50_000)
        until(lambda: server.temporary_files() != [])
    until(lambda: server.temporary_files() == [])
    assert http.get("/v1/datasets/broken-form").status_code == 404


def _pages(server: Server) -> list[dict[str, str]]:
    """Headers that browsers send with a form of another site's page."""
    host = server.url.removeprefix("http://")
    return [
        {"Origin": "http://evil.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{host}"},
        {"Origin": "http://localhost:1", "Sec-Fetch-Site": "same-site"},
    ]


def test_p14_forms_of_other_sites_change_nothing(server: Server, http: httpx.Client) -> None:
    form: dict[str, Any] = {"file": ("a.csv", b"x,y\n1,2\n")}
    for headers in _pages(server):
        answer = http.post("/v1/datasets/foreign", files=form, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), headers
        text = http.post(
            "/v1/datasets/foreign", content=b"x,y\n1,2\n", headers={**headers, "Content-Type": "text/plain"}
        )
        assert text.status_code == 403
        assert http.patch("/v1/datasets/foreign", json={}, headers=headers).status_code == 403
    assert http.get("/v1/datasets/foreign").status_code == 404
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert http.post("/v1/datasets/own", files=form, headers=own).status_code == 201

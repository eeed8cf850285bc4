"""Data sets over HTTP: uploads, every kind of invalid file, and what they leave behind."""

import gzip
import hashlib
import io
import json
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from service.workflow.data.sniff import MEDIA_TYPES
from tests.api.conftest import LINE, train
from tests.harness.server import Server
from tests.harness.until import until

CSV = {"Content-Type": "text/csv"}
TABLE = pl.DataFrame({"x": [1.5, 2.5], "c": ["a", "b"]})


def _written(write: Callable[[io.BytesIO], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _zipped(file: io.BytesIO) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("folder/table.csv", TABLE.write_csv())


PACKED: dict[str, Callable[[], bytes]] = {
    "csv": lambda: TABLE.write_csv().encode(),
    "csv.gz": lambda: gzip.compress(TABLE.write_csv().encode(), mtime=0),
    "json": lambda: json.dumps(TABLE.to_dicts()).encode(),
    "xlsx": lambda: _written(TABLE.write_excel),
    "parquet": lambda: _written(TABLE.write_parquet),
    "zip": lambda: _written(_zipped),
}


def test_a_data_set_is_versioned_by_its_bytes(http: httpx.Client, csv: Path) -> None:
    path, content = "/v1/datasets/versioned", csv.read_bytes()
    first = http.put(path, content=content, headers=CSV)
    assert (first.status_code, first.headers["Location"]) == (201, path)
    about = first.json()
    assert (about["version"], about["rows"], about["bytes"]) == (1, 40, len(content))
    assert about["digest"] == hashlib.sha256(content).hexdigest()
    assert [each["name"] for each in about["columns"]] == ["area", "rooms", "price"]
    again = http.put(path, content=content, headers=CSV)
    assert (again.status_code, again.json()) == (200, about)
    second = http.put(path, content=content + b"99,1,300\n", headers=CSV)
    assert (second.status_code, second.json()["version"], second.json()["rows"]) == (201, 2, 41)
    assert http.get(path).json() == second.json()
    listed = http.get(f"{path}/versions").json()
    assert [each["version"] for each in listed["data"]] == [2, 1]
    rows = http.get(f"{path}/rows", params={"limit": 2}).json()
    assert rows == {"data": [{"area": 50, "rooms": 0, "price": 100}, {"area": 51, "rooms": 1, "price": 103}],
                    "has_more": True}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"x,y\n",
        b"x,y",
        b"x,y\n1,2\n1,2,3,4\n",
        b"x,y\n1,2\n\x00\n",
        b"Houses of 2020\n\nx,y\n1,2\n3,4\n",
        b"x" * 200_000 + b",y\n1,2\n",
        b"PK\x03\x04" + b"\x00" * 100,
    ],
)
def test_files_that_are_not_tables_are_refused(server: Server, http: httpx.Client, content: bytes) -> None:
    answer = http.put("/v1/datasets/no-table", content=content, headers=CSV)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data")
    assert str(server.home) not in answer.text and "tmp" not in answer.text
    assert http.get("/v1/datasets/no-table").status_code == 404
    until(lambda: server.temporary_files() == [])  # a job that has just ended may still have its folder


@pytest.mark.parametrize("given", ["text/csv2", "image/png", "application/x-www-form-urlencoded", "multipart/mixed"])
def test_another_type(http: httpx.Client, given: str) -> None:
    answer = http.put("/v1/datasets/typed", content=b"x,y\n1,2\n", headers={"Content-Type": given})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "text/csv" in answer.json()["detail"] and "multipart/form-data" in answer.json()["detail"]


@pytest.mark.parametrize("given", MEDIA_TYPES)
def test_every_supported_media_type(http: httpx.Client, given: str) -> None:
    answer = http.post("/v1/datasets/every-type", content=b"", headers={"Content-Type": given} if given else {})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data")  # not 415


@pytest.mark.parametrize("given", dict(zip(MEDIA_TYPES.values(), MEDIA_TYPES, strict=True)).values())
def test_a_file_is_read_by_its_media_type(http: httpx.Client, given: str) -> None:
    """A CSV file is accepted where the type is CSV or missing, else refused as invalid for that type. One name of each
    type: each file is read by a new process."""
    headers = {"Content-Type": given} if given else {}
    answer = http.post("/v1/datasets/every-type", content=b"x;y\n1,5;2\n3,5;4\n", headers=headers)
    if MEDIA_TYPES[given] in ("", "text/csv"):
        assert answer.status_code in (200, 201), answer.text
        assert (answer.json()["media_type"], answer.json()["reading"]["decimal"]) == ("text/csv", ",")
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data")


def test_the_reading_is_shown(http: httpx.Client) -> None:
    content = b"id;size;kind\n1;1,5;a\n2;NA;b\n3;2,5;NA\n4;3,5;\n"
    answer = http.put("/v1/datasets/shown", content=content)
    assert answer.status_code == 201
    about = answer.json()
    assert about["reading"] == {
        "compression": None, "encoding": "utf-8", "separator": ";", "decimal": ",", "missing": ["NA"], "skip_lines": 0,
        "sheet": None, "date_formats": {},
    }  # fmt: skip
    assert any("NA" in note for note in about["notes"]) and any("id" in note for note in about["notes"])
    rows, size, kind = about["columns"]
    assert (rows["feature"], size["feature"], kind["feature"]) == (False, True, True)
    assert (size["type"], size["missing"], size["distinct"]) == ("number", 1, 3)
    assert (kind["type"], kind["missing"], kind["distinct"]) == ("category", 2, 2)
    assert "1,5" in size["examples"] and size["reason"]
    assert set(size) == {
        "name",
        "type",
        "missing",
        "distinct",
        "examples",
        "reason",
        "feature",
        "statistics",
        "distribution",
    }
    for again in (http.get("/v1/datasets/shown").json(), http.get("/v1/datasets/shown/versions").json()["data"][0]):
        assert again == about


def test_too_many_values_are_not_counted(http: httpx.Client) -> None:
    content = b"x,y\n" + b"".join(b"%d.5,1\n" % number for number in range(2000))
    columns = http.put("/v1/datasets/many-values", content=content).json()["columns"]
    assert [each["distinct"] for each in columns] == [None, 1]


def test_reading_options_are_applied(http: httpx.Client) -> None:
    path = "/v1/datasets/told"

    def uploaded(content: bytes, **query: Any) -> dict[str, Any]:
        answer = http.put(path, params=query, content=content)
        assert answer.status_code in (200, 201), answer.text
        about: dict[str, Any] = answer.json()
        return about

    for tab in ("tab", "\\t", "\t", "TAB"):
        assert uploaded(b"a,b\tc\n1\t2\n", separator=tab)["reading"]["separator"] == "\t"
    assert uploaded(b"x\n-1\n3\n?\n", missing="-1,?")["reading"]["missing"] == ["-1", "?"]
    assert uploaded(b'x\ty\n"1,5"\t1\n2\t2\n', missing=["1,5", ""])["columns"][0]["missing"] == 1
    assert uploaded(b"x\nNA\n1\n", missing="")["columns"][0]["type"] == "category"
    assert uploaded("x,y\nä,1\n".encode("cp1250"), encoding="cp1250")["reading"]["encoding"] == "windows-1250"
    assert uploaded(b"title\nof two\nx,y\n1,2\n", skip_lines="2")["reading"]["skip_lines"] == 2
    types = uploaded(b"x,y\n1,2\n3,4\n", types='{"x": "category"}')
    assert [each["type"] for each in types["columns"]] == ["category", "number"]
    dates = uploaded(b"x,y\n03/04/2020,2\n05/06/2020,4\n", date_formats='{"x": "%d/%m/%Y"}')
    assert (dates["columns"][0]["type"], dates["reading"]["date_formats"]) == ("datetime", {"x": "%d/%m/%Y"})
    by_header = http.put(
        path, content="x,y\nÄ,1\n".encode("cp437"), headers={"Content-Type": 'text/csv; charset="cp437"'}
    )
    assert by_header.json()["reading"]["encoding"] == "cp437" and by_header.json()["columns"][0]["examples"] == ["Ä"]


@pytest.mark.parametrize(
    ("query", "pointer", "message"),
    [
        ("seperator=;", "/seperator", "'separator'"),
        ("a~b/c=1", "/a~0b~1c", "known"),
        ("separator=;;", "/separator", "1 character"),
        ("separator=", "/separator", "1 character"),
        ("separator=x", "/separator", "expected one character such as"),
        ("separator=;&separator=;", "/separator", "twice"),
        ("decimal=x", "/decimal", "'.' or ','"),
        ("encoding=nonsense", "/encoding", "windows-1252"),
        ("encoding=zlib", "/encoding", "windows-1252"),
        ("encoding=%00", "/encoding", "windows-1252"),
        ("skip_lines=-1", "/skip_lines", "0 to 10000"),
        ("skip_lines=1.0", "/skip_lines", "0 to 10000"),
        ("skip_lines=%D9%A3", "/skip_lines", "0 to 10000"),
        ("skip_lines=10001", "/skip_lines", "10000"),
        ("skip_lines=" + "9" * 5000, "/skip_lines", "0 to 10000"),
        ("types=x:number", "/types", "JSON object"),
        ("types=[]", "/types", "JSON object"),
        ("types=" + "[" * 3000, "/types", "JSON object"),
        ('types={"x":"number","x":"category"}', "/types", "JSON object"),
        ('types={"x":"words"}', "/types/x", "'number'"),
        ('types={"x/y":null}', "/types/x~1y", "'number'"),
        ('date_formats={"x":"%25Q"}', "/date_formats", "%d.%m.%Y"),
        ("missing=" + "&missing=".join(map(str, range(101))), "/missing", "100"),
        ("sheet=" + "a" * 257, "/sheet", "256"),
    ],
)
def test_invalid_reading_options_are_refused(http: httpx.Client, query: str, pointer: str, message: str) -> None:
    for answer in (
        http.put(f"/v1/datasets/wrong?{query}", content=b"x,y\n1,2\n", headers=CSV),
        http.post(f"/v1/datasets/wrong?{query}", files={"file": ("a.csv", b"x,y\n1,2\n")}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
        [fault] = answer.json()["errors"]
        assert fault["pointer"] == pointer and message in fault["message"]
    assert http.get("/v1/datasets/wrong").status_code == 404


def test_an_unknown_charset_is_refused(http: httpx.Client) -> None:
    for given in ("text/csv; charset=nonsense", "text/plain; charset=idna"):
        answer = http.put("/v1/datasets/charset", content=b"x,y\n1,2\n", headers={"Content-Type": given})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/encoding")
    answer = http.put(
        "/v1/datasets/charset", content=b"x,y\n1,2\n", headers={"Content-Type": "text/csv; charset=utf-16"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data") and "utf-16" in answer.text


def test_the_same_bytes_with_other_options_are_a_new_version(http: httpx.Client) -> None:
    path, content = "/v1/datasets/read-twice", b"x;y\n1,5;a\n2,5;b\n"
    first = http.put(path, content=content, headers=CSV).json()
    assert http.put(f"{path}?decimal=,", content=content).json() == first  # the same options, spelled differently
    other = http.put(f"{path}?decimal=.", content=content, headers=CSV)
    assert (other.status_code, other.json()["version"], other.json()["digest"]) == (201, 2, first["digest"])
    assert [each["columns"][0]["type"] for each in (first, other.json())] == ["number", "category"]
    again = http.put(f"{path}?decimal=.", content=content, headers=CSV)
    assert (again.status_code, again.json()) == (200, other.json())


def test_a_data_set_is_read_again_with_other_options(server: Server, http: httpx.Client) -> None:
    path, content = "/v1/datasets/anew", b"zip;size\n10;1,5\n20;-\n30;3,5\n"
    first = http.put(path, content=content).json()
    assert [each["type"] for each in first["columns"]] == ["number", "number"]
    changed = http.patch(path, json={"reading": {"decimal": "."}, "types": {"zip": "category"}})
    assert (changed.status_code, changed.json()["version"], changed.headers["Location"]) == (201, 2, path)
    assert changed.json()["digest"] == first["digest"]
    assert [each["type"] for each in changed.json()["columns"]] == ["category", "category"]
    # Changes are merged into the earlier options, and null removes one.
    third = http.patch(path, json={"reading": {"decimal": None, "missing": []}})
    assert third.json()["reading"]["decimal"] == "," and third.json()["reading"]["missing"] == []
    assert [each["type"] for each in third.json()["columns"]] == ["category", "category"]
    back = http.patch(path, json={"reading": {"missing": None}, "types": {"zip": None}})
    assert (back.status_code, back.json()["version"], back.json()["columns"]) == (201, 4, first["columns"])
    nothings: list[dict[str, Any]] = [{}, {"reading": {}}, {"types": {}}, {"types": {"zip": None}}]
    for nothing in [*nothings, {"reading": {"decimal": None}}]:
        same = http.patch(path, json=nothing)
        assert (same.status_code, same.json()) == (200, back.json()), nothing
    unreadable = http.patch(path, json={"types": {"size": "boolean"}})
    assert (unreadable.status_code, unreadable.json()["code"]) == (422, "invalid_data") and "size" in unreadable.text
    assert http.get(path).json() == back.json()
    until(lambda: server.temporary_files() == [])


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ([], [""]),
        ("x", [""]),
        ({"separator": ";"}, ["/separator"]),
        ({"reading": None}, ["/reading"]),
        ({"reading": [], "a": 1}, ["/a", "/reading"]),
        ({"reading": {"types": {}}}, ["/reading/types"]),
        ({"reading": {"seperator": None}}, ["/reading/seperator"]),
        ({"reading": {"skip_lines": "1"}}, ["/reading/skip_lines"]),
        ({"reading": {"skip_lines": True}}, ["/reading/skip_lines"]),
        ({"reading": {"missing": "NA"}}, ["/reading/missing"]),
        ({"reading": {"missing": ["NA", None]}}, ["/reading/missing/1"]),
        ({"reading": {"date_formats": {"x": "%Q"}}}, ["/reading/date_formats"]),
        ({"reading": {"decimal": ";", "encoding": "hex"}}, ["/reading/decimal", "/reading/encoding"]),
        ({"types": []}, ["/types"]),
        ({"types": {"x/y": "words", "z": None}}, ["/types/x~1y"]),
    ],
)
def test_invalid_changes_are_refused(http: httpx.Client, document: Any, pointers: list[str]) -> None:
    http.put("/v1/datasets/unchanged", content=b"x,y\n1,2\n")
    answer = http.patch("/v1/datasets/unchanged", json=document)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == pointers
    assert http.get("/v1/datasets/unchanged").json()["version"] == 1


def test_changing_a_missing_data_set_is_404(http: httpx.Client) -> None:
    answer = http.patch("/v1/datasets/nobody", json={"reading": {"decimal": "."}})
    assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")
    assert http.patch("/v1/datasets/a..b", json={}).status_code == 422
    http.put("/v1/datasets/unchanged", content=b"x,y\n1,2\n")
    many = {f"{number}-" * 20: "number" for number in range(9000)}  # more than an argument of a process can hold
    answer = http.patch("/v1/datasets/unchanged", json={"types": many})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data") and "no such column" in answer.text
    assert http.patch("/v1/datasets/unchanged", content=b"{bad").json()["code"] == "invalid_json"
    headers = {"Content-Type": "text/csv"}
    assert http.patch("/v1/datasets/unchanged", content=b"x,y\n", headers=headers).status_code == 415


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "json", "xlsx", "parquet", "zip"])
def test_files_by_their_suffix(http: httpx.Client, suffix: str) -> None:
    """As a body without a known media type, which takes options, and in a form by file name: the same version."""
    content = PACKED[suffix]()
    path = f"/v1/datasets/found-{suffix.replace('.', '-')}"
    answer = http.put(path, content=content)
    assert answer.status_code == 201, answer.text
    assert answer.json()["bytes"] == len(content)
    assert [(each["name"], each["type"]) for each in answer.json()["columns"]] == [("x", "number"), ("c", "category")]
    again = http.post(path, files={"file": (f"table.{suffix}", content, "application/octet-stream")})
    assert (again.status_code, again.json()) == (200, answer.json())


def test_a_zip_file_with_two_tables(http: httpx.Client) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
        archive.writestr("b.csv", "x\n1\n")
    answer = http.put("/v1/datasets/two-tables", content=made.getvalue(), headers={"Content-Type": "application/zip"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data") and "2 files" in answer.text


@pytest.mark.parametrize("name", ["Houses", "a..b", "con", "-a", "a" * 65, "%20", "h%C3%A4user", "..%2fetc"])
def test_a_form_to_an_invalid_name_is_refused(http: httpx.Client, name: str) -> None:
    answer = http.post(f"/v1/datasets/{name}", files={"file": ("a.csv", b"x,y\n1,2\n")})
    assert (answer.status_code, answer.json()["code"]) in {(422, "invalid_name"), (404, "not_found")}


@pytest.mark.parametrize("name", ["Houses", "a..b", "con", "-a", "a" * 65, "%20", "h%C3%A4user", "..%2fetc"])
def test_an_invalid_name_is_refused(http: httpx.Client, name: str) -> None:
    answer = http.put(f"/v1/datasets/{name}", content=b"x,y\n1,2\n", headers=CSV)
    assert (answer.status_code, answer.json()["code"]) in {(422, "invalid_name"), (404, "not_found")}


def test_an_aborted_upload_leaves_no_file(server: Server, http: httpx.Client) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = "PUT /v1/datasets/broken-off HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 1000000\r\n"
        connection.sendall(f"{head}\r\nx,y\n".encode() + b"1,2\n" * 50_000)
        until(lambda: server.temporary_files() != [])
    until(lambda: server.temporary_files() == [])
    assert http.get("/v1/datasets/broken-off").status_code == 404


def test_training_from_a_data_set_and_invalid_references(http: httpx.Client, csv: Path) -> None:
    http.put("/v1/datasets/learned", content=csv.read_bytes(), headers=CSV)
    data = {"kind": "dataset", "dataset": "learned", "target": "price"}
    job = train(http, "priced", data=data, training={"epochs": 2, "batch_size": "full"})
    assert job["spec"]["data"]["version"] == 1
    for wrong, pointer in (
        ({"dataset": "lerned"}, "/data/dataset"),
        ({"version": 2}, "/data/version"),
        ({"version": 10**30}, "/data/version"),
        ({"target": "prize"}, "/data/target"),
        ({"features": ["arena"]}, "/data/features/0"),
    ):
        answer = http.post("/v1/training-jobs", json={**LINE, "model_name": "wrong", "data": {**data, **wrong}})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_spec")
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer], answer.text


def test_a_deleted_data_set_is_gone(http: httpx.Client, csv: Path) -> None:
    path = "/v1/datasets/deleted"
    http.put(path, content=csv.read_bytes(), headers=CSV)
    assert http.delete(path).status_code == 204
    for answer in (http.get(path), http.delete(path), http.get(f"{path}/rows")):
        assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")
    assert http.put(path, content=csv.read_bytes(), headers=CSV).json()["version"] == 2

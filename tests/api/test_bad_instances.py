"""Invalid rows of a prediction, in every format: refused with the row and the column, never a 500."""

import gzip
import io
import json
import math
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
import polars
import pytest

from service.serving.limits import MOST_ROWS
from tests.api.conftest import train

PATH = "/v1/models/strict/predictions"
Columns = dict[str, list[Any]]
GOOD: Columns = {"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]}
LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module", autouse=True)
def strict(http: httpx.Client) -> None:
    """Two numeric features that may not be missing."""
    records = [{"a": float(i % 7), "b": float(i % 3), "y": i % 7 - 2.0 * (i % 3)} for i in range(40)]
    data = {"kind": "rows", "records": records, "target": "y", "task": "regression"}
    train(http, "strict", data=data, training={"epochs": 0})


def rows(columns: Columns) -> list[list[Any]]:
    return [list(row) for row in zip(*columns.values(), strict=True)]


def records(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows(columns)]


def as_rows(columns: Columns) -> httpx.Request:
    return _json({"instances": rows(columns)})


def as_records(columns: Columns) -> httpx.Request:
    return _json({"instances": records(columns)})


def as_columns(columns: Columns) -> httpx.Request:
    return _json({"inputs": columns})


def as_csv(columns: Columns) -> httpx.Request:
    lines = [list(columns), *(["" if value is None else value for value in row] for row in rows(columns))]
    return _post("text/csv", "".join(",".join(map(str, line)) + "\n" for line in lines).encode())


def as_lines(columns: Columns) -> httpx.Request:
    return _post("application/x-ndjson", b"".join(json.dumps(row).encode() + b"\n" for row in rows(columns)))


def as_record_lines(columns: Columns) -> httpx.Request:
    return _post("application/x-ndjson", b"".join(json.dumps(row).encode() + b"\n" for row in records(columns)))


def as_stream(columns: Columns) -> httpx.Request:
    file = io.BytesIO()
    polars.DataFrame(columns).write_ipc_stream(file)
    return _post("application/vnd.apache.arrow.stream", file.getvalue())


def as_file(columns: Columns) -> httpx.Request:
    file = io.BytesIO()
    polars.DataFrame(columns).write_ipc(file)
    return _post("application/vnd.apache.arrow.file", file.getvalue())


def as_parquet(columns: Columns) -> httpx.Request:
    file = io.BytesIO()
    polars.DataFrame(columns).write_parquet(file)
    return _post("application/vnd.apache.parquet", file.getvalue())


def as_npy(columns: Columns) -> httpx.Request:
    file = io.BytesIO()
    texts = any(isinstance(value, str) for values in columns.values() for value in values)
    np.save(file, np.array(list(columns.values()), dtype=None if texts else np.float64).T)
    return _post("application/x-npy", file.getvalue())


def as_query(columns: Columns) -> httpx.Request:
    query = [(name, "" if value is None else value) for name, values in columns.items() for value in values]
    return httpx.Request("GET", f"http://localhost{PATH}?{urlencode(query)}")


FORMS: dict[str, Callable[[Columns], httpx.Request]] = {
    each.__name__.removeprefix("as_"): each
    for each in (as_rows, as_records, as_columns, as_csv, as_lines, as_record_lines, as_stream, as_file, as_parquet)
} | {"npy": as_npy, "query": as_query}


def _json(document: Any) -> httpx.Request:
    return _post("application/json", json.dumps(document).encode())


def _post(media_type: str, body: bytes) -> httpx.Request:
    return httpx.Request("POST", f"http://localhost{PATH}", content=body, headers={"Content-Type": media_type})


def send(http: httpx.Client, request: httpx.Request, **headers: str) -> httpx.Response:
    request.url = httpx.URL(http.base_url).copy_with(raw_path=request.url.raw_path)
    request.headers.update(headers)
    return http.send(request)


# For each fault: the columns, and its place in each format. Formats left out cannot have that fault.
Places = dict[str, str]
TABLES = ("csv", "stream", "file", "parquet", "query")


def places(row: int, column: str, *, npy: bool = True) -> Places:
    """The place of an invalid value."""
    at = ("a", "b").index(column)
    found = dict.fromkeys((*TABLES, *(["npy"] if npy else [])), f"/{column}/{row}")
    return found | {
        "rows": f"/instances/{row}/{at}",
        "records": f"/instances/{row}/{column}",
        "columns": f"/inputs/{column}/{row}",
        "lines": f"/{row}/{at}",
        "record_lines": f"/{row}/{column}",
    }


def named(name: str) -> Places:
    """The place of an invalid name."""
    found = dict.fromkeys(TABLES, f"/{name}")
    return found | {"records": f"/instances/0/{name}", "columns": f"/inputs/{name}", "record_lines": f"/0/{name}"}


TYPED = (
    "stream",
    "file",
    "parquet",
    "rows",
    "records",
    "columns",
    "lines",
    "record_lines",
)  # distinguish text from numbers
WIDTH = {"rows": "/instances/0", "lines": "/0", "npy": ""}
NOTHING = {"rows": "/instances", "records": "/instances", "columns": "/inputs", "query": "/a"}
FAULTS: dict[str, tuple[Columns, Places, str]] = {
    "one column too many": (GOOD | {"z": [0.0] * 3}, WIDTH | named("z"), ""),
    "one too few": ({"a": GOOD["a"]}, WIDTH | named("b"), ""),
    "a name in capitals": ({"a": GOOD["a"], "B": GOOD["b"]}, named("B"), "did you mean 'b'"),
    "a text": (
        GOOD | {"b": ["4", "half", "6"]},
        # In formats with a string type the whole column is wrong, and its first value is reported.
        {form: place.replace("1", "0", 1) if form in TYPED else place for form, place in places(1, "b").items()}
        | {"rows": "/instances/0/1", "lines": "/0/1", "npy": ""},
        "number",
    ),
    "a boolean": (GOOD | {"a": [True, False, True]}, places(0, "a", npy=False), "number"),
    "a missing value": (GOOD | {"b": [4.0, None, 6.0]}, places(1, "b"), ""),
    "beyond float32": (GOOD | {"a": [1.0, 2.0, -1e39]}, places(2, "a"), "float32"),
    "no rows": ({"a": [], "b": []}, dict.fromkeys(FORMS, "") | NOTHING, ""),
}
CASES = [pytest.param(fault, form, id=f"{fault}, {form}") for fault, (_, at, _) in FAULTS.items() for form in at]


@pytest.mark.parametrize(("fault", "form"), CASES)
def test_an_invalid_value_is_reported_with_its_row_and_column(http: httpx.Client, fault: str, form: str) -> None:
    columns, at, message = FAULTS[fault]
    answer = send(http, FORMS[form](columns))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_instances"), answer.text
    first = answer.json()["errors"][0]
    assert first["pointer"] == at[form]
    assert message in first["message"] or form == "npy"


@pytest.mark.parametrize("form", FORMS)
def test_valid_rows_in_every_format(http: httpx.Client, form: str) -> None:
    answer = send(http, FORMS[form](GOOD))
    assert answer.status_code == 200
    assert len(answer.text.splitlines() if "lines" in form else answer.json()["predictions"]) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("form", FORMS)
def test_values_that_are_not_finite_are_refused(http: httpx.Client, form: str, value: float) -> None:
    """JSON cannot express them: the parser gives the position, for JSON Lines with the row."""
    answer = send(http, FORMS[form](GOOD | {"b": [4.0, value, 6.0]}))
    if form in ("rows", "records", "columns"):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")
        assert re.search(r"column \d+: NaN and Infinity are no JSON", answer.json()["detail"])
        return
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_instances")
    assert answer.json()["errors"][0]["pointer"] == ("/1" if "lines" in form else "/b/1")


@pytest.mark.parametrize(
    ("request_", "pointer"),
    [
        (_json({"instances": [[1, 2], [3]]}), "/instances/1"),
        (_json({"instances": [{"a": 1, "b": 2}, {"a": 3}]}), "/instances/1/b"),
        (_json({"instances": [[1, 2], [[3], 4]]}), "/instances/1/0"),
        (_json({"instances": [[1, 2], 3]}), "/instances/1"),
        (_json({"inputs": {"a": [1, 2], "b": [3]}}), "/inputs/b"),
        (_post("text/csv", b"a,b\n1,2\n3\n"), ""),
        (_post("text/csv", b"a,b\n1,2\n3,4,5\n"), ""),
        (_post("application/x-ndjson", b"[1,2]\n[3]\n"), "/1"),
        (_post("application/x-ndjson", b'{"a":1,"b":2}\n{"a":3}\n'), "/1/b"),
        (httpx.Request("GET", f"http://localhost{PATH}?a=1&a=2&b=3"), "/b"),
    ],
    ids=lambda each: "" if isinstance(each, str) else (each.content or each.url.query).decode()[:30],
)
def test_ragged_rows(http: httpx.Client, request_: httpx.Request, pointer: str) -> None:
    answer = send(http, request_)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_instances"), answer.text
    first = answer.json()["errors"][0]
    assert first["pointer"] == pointer
    assert pointer or "line 3" in first["message"]


ROW = {
    "rows": (b"[0, 0]", b", "),
    "records": (b'{"a": 0, "b": 0}', b", "),
    "csv": (b"0,0\n", b""),
    "lines": (b"[0, 0]\n", b""),
    "record_lines": (b'{"a": 0, "b": 0}\n', b""),
}  # the text of a row of zeros, and the separator


def zeros(form: str, count: int) -> httpx.Request:
    """That many rows of zeros. A row of text is written once and repeated: formatting each takes seconds."""
    if form not in ROW:
        return FORMS[form]({"a": [0] * count, "b": [0] * count})
    row, between = ROW[form]
    one = FORMS[form]({"a": [0], "b": [0]})
    assert one.content.count(row) == 1
    return _post(one.headers["Content-Type"], one.content.replace(row, between.join([row] * count)))


@pytest.mark.parametrize("form", [each for each in FORMS if each != "query"])
def test_too_many_rows(http: httpx.Client, form: str) -> None:
    """A JSON Lines response streams without a limit, so JSON is requested here."""
    answer = send(http, zeros(form, MOST_ROWS + 1), Accept="application/json")
    if form == "records":  # these exceed the limit of bytes first
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        return
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_instances")
    assert str(MOST_ROWS) in answer.json()["errors"][0]["message"]


def test_a_query_that_is_too_long(http: httpx.Client) -> None:
    """The connection may be refused; the service goes on."""
    query = "&".join(["a=0&b=0"] * 100_000)
    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=60) as connection:
        with suppress(ConnectionError):
            connection.sendall(f"GET {PATH}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status = connection.recv(65_536)[9:12]
    assert status in (b"200", b"400", b"414", b"431", b"")
    assert send(http, as_query(GOOD)).status_code == 200


LIES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "npy that tells of more": ("npy", lambda body: body.replace(b"(3, 2)", b"(9, 2)")),
    "npy that tells of far more": ("npy", lambda body: body.replace(b"(3, 2), }      ", b"(3000000, 2), }")),
    "parquet whose footer is longer than it": (
        "parquet",
        lambda body: body[:-8] + struct.pack("<i", 2**30) + body[-4:],
    ),
    "an Arrow message longer than the body": ("stream", lambda body: body[:4] + struct.pack("<i", 2**30) + body[8:]),
    "an Arrow file cut short": ("file", lambda body: body[:-40]),
    "CSV that is Parquet": ("csv", lambda body: as_parquet(GOOD).content),
    "NPY that is CSV": ("npy", lambda body: as_csv(GOOD).content),
    "Parquet that is JSON": ("parquet", lambda body: as_rows(GOOD).content),
    "Arrow that is nothing": ("stream", lambda body: b""),
    "JSON Lines that are NPY": ("lines", lambda body: as_npy(GOOD).content),
}


@pytest.mark.parametrize("lie", LIES)
def test_content_that_is_not_in_its_declared_format(http: httpx.Client, lie: str) -> None:
    form, change = LIES[lie]
    given = FORMS[form](GOOD)
    changed = change(given.content)
    assert changed != given.content
    answer = send(http, _post(given.headers["Content-Type"], changed))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_instances"), answer.text
    assert answer.json()["errors"][0]["message"]


def test_a_body_that_is_not_json(http: httpx.Client) -> None:
    for body in (b"", b"{", as_npy(GOOD).content):
        answer = send(http, _post("application/json", body))
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


@cache
def bomb() -> bytes:
    return gzip.compress(b" " * 300_000_000, 1)


@pytest.mark.parametrize("form", [each for each in FORMS if each != "query"])
def test_a_compressed_body_that_expands_beyond_the_limit(http: httpx.Client, form: str) -> None:
    """300 MB of spaces, compressed to a few hundred kB."""
    if "lines" in form:
        pytest.skip("a stream is not bounded, but for its lines: tests/serving/test_stream.py")
    given = _post(FORMS[form](GOOD).headers["Content-Type"], bomb())
    answer = send(http, given, **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_an_unknown_format(http: httpx.Client) -> None:
    answer = send(http, _post("application/x-hdf5", b"x"))
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "application/x-npy" in answer.json()["detail"]

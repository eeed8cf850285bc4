"""Predictions in every format, over HTTP: all formats give the same predictions."""

import gzip
import io
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import polars
import pytest

from service.serving.codecs import DECODERS, ENCODERS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

XS = [0.0, 0.25, 0.5, 1.0]
PATH = "/v1/models/line/versions/1/predictions"


def bodies() -> dict[str, bytes]:
    """The same rows in every format."""
    frame = polars.DataFrame({"x": XS})
    made = {}
    stream, file, parquet = io.BytesIO(), io.BytesIO(), io.BytesIO()
    frame.write_ipc_stream(stream)
    frame.write_ipc(file)
    frame.write_parquet(parquet)
    made["application/vnd.apache.arrow.stream"] = stream.getvalue()
    made["application/vnd.apache.arrow.file"] = file.getvalue()
    made["application/vnd.apache.parquet"] = parquet.getvalue()
    array = io.BytesIO()
    np.save(array, np.array(XS)[:, None])
    return made | {
        "application/json": b'{"instances": [0.0, 0.25, 0.5, 1.0]}',
        "application/x-ndjson": b"[0.0]\n[0.25]\n[0.5]\n[1.0]\n",
        "text/csv": b"x\n0.0\n0.25\n0.5\n1.0\n",
        "application/x-npy": array.getvalue(),
    }


def answers(answer: httpx.Response) -> list[float]:
    """The predictions of a response in any format."""
    body = io.BytesIO(answer.content)
    match answer.headers["content-type"]:
        case "application/json":
            found: list[float] = answer.json()["predictions"]
            return found
        case "application/x-ndjson":
            return [float(line) for line in answer.text.splitlines()]
        case "text/csv":
            return polars.read_csv(body)["y"].to_list()
        case "application/vnd.apache.arrow.stream":
            return polars.read_ipc_stream(body)["y"].to_list()
        case "application/vnd.apache.arrow.file":
            return polars.read_ipc(body)["y"].to_list()
        case "application/vnd.apache.parquet":
            return polars.read_parquet(body)["y"].to_list()
        case "application/x-npy":
            return [float(each) for each in np.load(body, allow_pickle=False)]
        case other:
            raise AssertionError(other)


@pytest.fixture(scope="module")
def wanted(http: httpx.Client, line: dict[str, Any]) -> list[float]:
    found: list[float] = http.post(PATH, json={"instances": XS}).json()["predictions"]
    return found


@pytest.mark.parametrize("accept", ENCODERS)
@pytest.mark.parametrize("media_type", DECODERS)
def test_every_pair_of_formats_gives_the_same_predictions(
    http: httpx.Client, wanted: list[float], media_type: str, accept: str
) -> None:
    headers = {"Content-Type": media_type, "Accept": accept}
    answer = http.post(PATH, content=bodies()[media_type], headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == accept
    assert answer.headers["model-version"] == "1"
    assert answers(answer) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_compressed_body(http: httpx.Client, wanted: list[float], coding: str) -> None:
    plain = bodies()["text/csv"]
    packed = gzip.compress(plain) if coding == "gzip" else zstd.compress(plain)
    headers = {"Content-Type": "text/csv", "Content-Encoding": coding}
    assert answers(http.post(PATH, content=packed, headers=headers)) == pytest.approx(wanted, rel=1e-5)
    cut = http.post(PATH, content=packed[:-3], headers=headers)
    assert (cut.status_code, cut.json()["code"]) == (400, "invalid_request")


def test_a_decompression_bomb_is_refused(http: httpx.Client, line: dict[str, Any]) -> None:
    bomb = gzip.compress(b"0.5\n" * 17_000_000, 9)
    answer = http.post(PATH, content=bomb, headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_an_unknown_coding_and_an_unknown_format(http: httpx.Client, line: dict[str, Any]) -> None:
    for headers in ({"Content-Encoding": "br"}, {"Content-Type": "application/x-hdf5"}):
        answer = http.post(PATH, content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_an_invalid_value_names_its_row_and_column(http: httpx.Client, line: dict[str, Any]) -> None:
    answer = http.post(PATH, content=b"x\n0.5\nhalf\n", headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/x/1")


def test_a_large_body_of_numbers_is_read_as_strictly_as_a_small_one(http: httpx.Client, wanted: list[float]) -> None:
    many = ", ".join(["0.25"] * 2000)
    whole = http.post(PATH, content=f'{{"instances": [{many}]}}', headers={"Content-Type": "application/json"})
    assert whole.json()["predictions"] == pytest.approx([wanted[1]] * 2000, rel=1e-5)
    for end, status in (("NaN", 400), ('"half"', 422), ("[0.5, 0.5]", 422), ("1e400", 400)):
        body = f'{{"instances": [{many}, {end}]}}'
        answer = http.post(PATH, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, (end, answer.text)


def test_a_query_may_be_answered_in_any_format(http: httpx.Client, wanted: list[float]) -> None:
    plain = http.get(PATH, params={"x": XS})
    table = http.get(PATH, params={"x": XS}, headers={"Accept": "text/csv"})
    assert answers(plain) == answers(table) == pytest.approx(wanted, rel=1e-5)
    assert plain.headers["etag"] != table.headers["etag"]


MARK = b"\xef\xbb\xbf"


BARE = [b'{"instances": {"x": 0.25}}', b'{"x": 0.25}', b"[[0.25]]", b'[{"x": 0.25}]', b"[0.25]"]


@pytest.mark.parametrize("body", [*BARE, MARK + b'{"instances": [[0.25]]}'])
def test_rows_without_an_envelope(http: httpx.Client, wanted: list[float], body: bytes) -> None:
    for given in (body, body + b" " * 2000, body + b" " * 300_000):  # short, read in the event loop, read in a thread
        answer = http.post(PATH, content=given, headers={"Content-Type": "application/json"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"] == pytest.approx(wanted[1:2], rel=1e-5)
    refused = http.post(PATH, content=body.replace(b"0.25", b'"a"'), headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_instances")


def test_json_lines_get_json_lines(http: httpx.Client, wanted: list[float]) -> None:
    lines = b"".join(b'{"x": %b}\n' % str(each).encode() for each in XS)
    for body in (lines, MARK + lines, lines.replace(b"\n", b"\r\n\n")):
        answer = http.post(PATH, content=body, headers=LINES)
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert answers(answer) == pytest.approx(wanted, rel=1e-5)
        streamed = http.post(PATH, content=iter([body[:9], body[9:]]), headers=LINES)
        assert streamed.content == answer.content
        answer_in_json = http.post(PATH, content=body, headers={**LINES, "Accept": "application/json"})
        assert answer_in_json.json()["predictions"] == pytest.approx(wanted, rel=1e-5)


def test_an_impossible_date_is_refused(http: httpx.Client, line: dict[str, Any]) -> None:
    """polars panics at it."""
    file = io.BytesIO()
    polars.DataFrame({"x": polars.Series([2**62], dtype=polars.Int64).cast(polars.Datetime("ms"))}).write_parquet(file)
    answer = http.post(PATH, content=file.getvalue(), headers={"Content-Type": "application/vnd.apache.parquet"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/x/0")


LINES = {"Content-Type": "application/x-ndjson"}


def rows(count: int, *, bad: int | None = None) -> Iterator[bytes]:
    """That many JSON Lines, some thousand at a time; optionally one of them invalid."""
    for start in range(0, count, 5000):
        places = range(start, min(start + 5000, count))
        yield b"".join(b'["half"]\n' if place == bad else b"[%f]\n" % (place % 4) for place in places)


def test_a_stream_to_a_model_that_is_not_loaded_loses_no_row(http: httpx.Client, model: str) -> None:
    lines = b"".join(rows(10))
    for path in (f"/v1/models/{model}/versions/1/predictions", f"/v1/models/{model}/predictions"):
        answer = http.post(path, content=lines, headers=LINES, timeout=20)
        assert (answer.status_code, len(answer.text.splitlines())) == (200, 10)


def test_a_stream_with_a_fault_at_its_beginning_is_refused(http: httpx.Client, line: dict[str, Any]) -> None:
    answer = http.post(PATH, content=rows(9000, bad=7), headers=LINES)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/7/0")
    assert http.post(PATH, content=b"", headers=LINES).status_code == 422


def test_a_stream_with_a_later_fault_reports_it_and_is_aborted(http: httpx.Client, line: dict[str, Any]) -> None:
    received: list[str] = []
    with http.stream("POST", PATH, content=rows(20_000, bad=12_345), headers=LINES) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            received.extend(answer.iter_lines())
    # httpx drops what it had buffered when the connection broke; a plain socket sees everything.
    assert len(received) <= 12_346


def test_a_stream_of_an_unknown_model(http: httpx.Client) -> None:
    answer = http.post("/v1/models/nobody/predictions", content=b"[0]\n", headers=LINES)
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")


def test_a_stream_to_a_model_that_is_not_in_memory_loses_no_row(http: httpx.Client, model: str) -> None:
    """While the model is loaded, incoming rows must not be consumed by the check for a disconnect."""
    rows = b"".join(b"[%d]\n" % each for each in range(20_000))
    answer = http.post(
        f"/v1/models/{model}/predictions", content=rows, headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.status_code == 200 and len(answer.text.split()) == 20_000

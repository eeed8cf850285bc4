"""`modelwright predict --file`: every format in and out, order, one version for all pieces, and nothing half-written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from service.cli import rows_files
from tests.api.conftest import LINE, ended
from tests.cli.conftest import Run
from tests.harness.server import Server

ROWS = 25_000  # two pieces of CSV, seven of JSON Lines


@pytest.fixture(scope="module")
def filed(server: Server) -> float:
    """A model `filed` with two versions that are not the same; the prediction of the first for x = 0 is returned."""
    for seed in (1, 2):
        spec = {**LINE, "model_name": "filed", "training": {**LINE["training"], "seed": seed}}
        with server.http_client() as http:
            assert ended(http, http.post("/v1/training-jobs", json=spec).json()["id"])["status"] == "succeeded"
    prediction: float = server.client.predict("filed", [[0.0]], version=1)["predictions"][0]
    return prediction


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.DataFrame({"x": np.arange(ROWS) / ROWS})


def _npy(path: Path, frame: pl.DataFrame) -> None:
    np.save(path, frame.to_numpy())


WRITE: dict[str, Callable[[Path, pl.DataFrame], Any]] = {
    ".csv": lambda path, frame: frame.write_csv(path),
    ".ndjson": lambda path, frame: frame.write_ndjson(path),
    ".parquet": lambda path, frame: frame.write_parquet(path),
    ".arrow": lambda path, frame: frame.write_ipc(path),
    ".npy": _npy,
}
READ: dict[str, Callable[[Path], Any]] = {
    ".csv": lambda path: pl.read_csv(path)["y"].to_numpy(),
    ".ndjson": lambda path: np.array([json.loads(line) for line in path.read_text().splitlines()]),
    ".parquet": lambda path: pl.read_parquet(path)["y"].to_numpy(),
    ".arrow": lambda path: pl.read_ipc(path)["y"].to_numpy(),
    ".npy": np.load,
}


@pytest.mark.parametrize(("rows", "out"), list(zip(WRITE, [*list(READ)[1:], ".csv"], strict=True)))
def test_a_file_is_predicted_in_order(
    run: Run, filed: float, frame: pl.DataFrame, tmp_path: Path, rows: str, out: str
) -> None:
    source, target = tmp_path / f"rows{rows}", tmp_path / f"out{out}"
    WRITE[rows](source, frame)
    done = run("predict", "filed@1", "--file", source, "--out", target)
    assert (done.status, done.out) == (0, f"{ROWS} predictions of filed@1 in {target}.\n"), done.err
    predictions = READ[out](target)
    assert predictions.shape == (ROWS,)
    assert abs(predictions[0] - filed) < 1e-5
    assert np.allclose(
        np.diff(predictions, 2), 0, atol=1e-5
    )  # a straight line: no row is missing, doubled or misplaced
    assert sorted(tmp_path.iterdir()) == sorted([source, target])


def test_fields_may_contain_line_ends_and_separators(run: Run, server: Server, tmp_path: Path) -> None:
    words = ["a\n,b", 'say "no"', "c"]
    records = [{"word": words[i % 3], "kind": "pqr"[i % 3]} for i in range(30)]
    spec = {
        "model_name": "words",
        "data": {"kind": "rows", "records": records, "target": "kind"},
        "model": {"kind": "logistic_regression"},
        "training": {"epochs": 0},
    }
    server.client.wait(server.client.train(spec)["id"])
    rows, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    escaped = ['"' + each.replace('"', '""') + '"' for each in words]
    rows.write_bytes(b"\xef\xbb\xbfword\r\n" + "".join(f"{escaped[i % 3]}\r\n\r\n" for i in range(30)).encode())
    assert run("predict", "words", "--file", rows, "--out", out).out.startswith("30 predictions ")
    found = pl.read_csv(out)
    assert found.columns == ["label", "probability_p", "probability_q", "probability_r"] and len(found) == 30
    alone = server.client.predict("words", [[each] for each in words])["predictions"]
    assert found["label"].to_list() == [each["label"] for each in alone] * 10


def test_all_pieces_have_one_version(
    run: Run, server: Server, filed: float, frame: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.client.set_alias("filed", "moving", 1)
    read = rows_files.read_rows_file

    def moved_meanwhile(path: Path) -> Any:
        for piece in read(path):
            if piece.first:
                server.client.set_alias("filed", "moving", 2)
            yield piece

    monkeypatch.setattr(rows_files, "read_rows_file", moved_meanwhile)
    frame.write_csv(tmp_path / "rows.csv")
    done = run("predict", "filed@moving", "--file", tmp_path / "rows.csv", "--out", tmp_path / "out.npy", "--json")
    assert json.loads(done.out)["model"] == "filed@1"
    assert np.allclose(np.diff(np.load(tmp_path / "out.npy"), 2), 0, atol=1e-5)


def test_an_error_names_the_row_of_the_file_and_leaves_nothing(run: Run, filed: float, tmp_path: Path) -> None:
    values = [*map(str, range(ROWS))]
    values[22_221] = "oops"
    (tmp_path / "rows.csv").write_text("x\n" + "\n".join(values))
    (tmp_path / "rows.ndjson").write_text("\n".join(json.dumps({"x": v if v == "oops" else float(v)}) for v in values))
    (tmp_path / "out.csv").write_text("from before")
    for rows in ("rows.csv", "rows.ndjson"):
        failed = run("predict", "filed", "--file", tmp_path / rows, "--out", tmp_path / "out.csv")
        assert failed.status == 1 and "row 22222, x: expected a " in failed.err, failed.err
    assert (tmp_path / "out.csv").read_text() == "from before"
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "rows.ndjson", "out.csv"}
    printed = run("predict", "filed", "--file", tmp_path / "rows.csv")
    assert printed.status == 1 and len(printed.out.splitlines()) == rows_files.MOST_ROWS


WRONG: list[tuple[str, bytes, str, int, str]] = [
    ("rows.txt", b"x\n1\n", "out.csv", 2, "suffix"),
    ("rows.csv", b"x\n1\n", "out.txt", 2, "suffix"),
    ("rows.csv", b"x\n1\n", "rows.csv", 2, "it is the file with the rows"),
    ("rows.csv", b"x\n1\n", "nowhere/out.csv", 1, "No such file"),
    ("rows.csv", "x\n1\n".encode("utf-16"), "out.csv", 1, "UTF-16"),
    ("rows.csv", b"", "out.csv", 1, "no rows"),
    ("rows.csv", b"x\n", "out.parquet", 1, "no rows"),
    ("rows.ndjson", b"\n", "out.npy", 1, "no rows"),
    ("rows.csv", b"z\n1\n", "out.csv", 1, "z"),
    ("rows.csv", b'x\n"1\n2', "out.csv", 1, "Error: "),
    ("rows.parquet", b"x\n1\n", "out.csv", 1, "cannot be read as .parquet"),
    ("rows.arrow", b"x\n1\n", "out.csv", 1, "cannot be read as .arrow"),
    ("rows.npy", b"x\n1\n", "out.csv", 1, "cannot be read as .npy"),
    ("rows.ndjson", b"{", "out.csv", 1, "Error: "),
]


@pytest.mark.parametrize(("name", "content", "out", "status", "said"), WRONG, ids=range(len(WRONG)))
def test_wrong_files_are_refused(
    run: Run, filed: float, tmp_path: Path, name: str, content: bytes, out: str, status: int, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    refused = run("predict", "filed", "--file", tmp_path / name, "--out", tmp_path / out)
    assert refused.status == status and said in refused.err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_one_kind_of_rows_is_given(run: Run, filed: float, tmp_path: Path) -> None:
    assert run("predict", "filed", "x=1", "--instances", "[1]").status == 2
    assert run("predict", "filed", "x=1", "--out", tmp_path / "out.csv").status == 2
    assert run("predict", "filed").status == 2
    missing = run("predict", "filed", "--file", tmp_path / "none.csv", "--out", tmp_path / "out.csv")
    assert missing.status == 1 and "No such file" in missing.err

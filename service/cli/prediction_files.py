"""Predictions, written to a file as they come. The file has its name only when it is whole."""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from service.cli.failures import CommandFailed
from service.cli.prediction_pieces import Predictions
from service.cli.rows_files import ARROW, CSV, LINES, NPY, records

MEDIA_TYPES = {
    ".csv": CSV,
    **dict.fromkeys((".ndjson", ".jsonl"), LINES),
    ".parquet": ARROW,  # the pieces; they become one file at the end
    ".arrow": ARROW,
    ".npy": NPY,
}


@dataclass(frozen=True)
class Saved:
    """How many predictions a file has, and which version has made them."""

    rows: int
    model: str
    version: int


def save(path: Path, pieces: Iterator[Predictions]) -> Saved:
    """Writes predictions to a file, in the form that its suffix tells; memory is needed for one piece at a time.

    Raises:
        CommandFailed: there are no rows, or the service has not predicted the same columns for all pieces.
        OSError: the file cannot be written.
    """
    rows, last = 0, None

    def counted() -> Iterator[bytes]:
        nonlocal rows, last
        for last in pieces:
            rows += last.rows
            yield last.content

    part = path.with_name(path.name + ".part")
    try:
        WRITERS[path.suffix.lower()](part, counted())
        if last is None:
            raise CommandFailed("There are no rows to predict for.")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return Saved(rows, last.model, last.version)


def _lines(part: Path, pieces: Iterator[bytes]) -> None:
    with part.open("wb") as file:
        file.writelines(pieces)


def _csv(part: Path, pieces: Iterator[bytes]) -> None:
    header: bytes | None = None
    with part.open("wb") as file:
        for piece in pieces:
            names = next(records(io.BytesIO(piece)), b"")
            header = names if header is None else header
            _expect_same(header, names)
            file.write(piece[len(names) :] if file.tell() else piece)


def _npy(part: Path, pieces: Iterator[bytes]) -> None:
    """The array of all pieces. numpy leaves room in the header, so that it can be written again with the number of rows."""
    import numpy as np
    from numpy.lib import format as npy

    rows, about = 0, None
    with part.open("wb") as file:
        for piece in pieces:
            array = np.load(io.BytesIO(piece), allow_pickle=False)
            shape = {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape[1:]}
            if about is None:
                about = shape
                _write_header(file, about, 0)
            _expect_same(about, shape)
            file.write(array.tobytes())
            rows += len(array)
        if about is not None:
            file.seek(0)
            _write_header(file, about, rows)


def _write_header(file: IO[bytes], about: dict[str, Any], rows: int) -> None:
    from numpy.lib import format as npy

    npy.write_array_header_1_0(file, {**about, "shape": (rows, *about["shape"])})


def _parquet(part: Path, pieces: Iterator[bytes]) -> None:
    _frames(part, pieces, "sink_parquet")


def _arrow(part: Path, pieces: Iterator[bytes]) -> None:
    _frames(part, pieces, "sink_ipc")


def _frames(part: Path, pieces: Iterator[bytes], sink: str) -> None:
    """One file of the pieces, which are files of their own until the last has come."""
    import polars

    schema = None
    with tempfile.TemporaryDirectory(prefix=f".{part.name}.", dir=part.parent) as folder:
        files = []
        for number, piece in enumerate(pieces):
            frame = polars.read_ipc_stream(io.BytesIO(piece))
            schema = frame.schema if schema is None else schema
            _expect_same(schema, frame.schema)
            files.append(Path(folder) / f"{number}.arrow")
            frame.write_ipc(files[-1])
        if files:
            getattr(polars.scan_ipc(files), sink)(part)


def _expect_same(one: object, other: object) -> None:
    if one != other:
        raise CommandFailed("The service has predicted other columns for some of the rows than for those before.")


WRITERS: dict[str, Callable[[Path, Iterator[bytes]], None]] = {
    ".csv": _csv,
    **dict.fromkeys((".ndjson", ".jsonl"), _lines),
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".npy": _npy,
}

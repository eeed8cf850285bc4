"""Files of rows, read in pieces that fit into a request each. The service, not this code, finds out what the values mean."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import typer

from service.cli.failures import CommandFailed

CSV, LINES = "text/csv", "application/x-ndjson"
ARROW, NPY = "application/vnd.apache.arrow.stream", "application/x-npy"
MOST_ROWS = 20_000  # in one piece
MOST_LINES = 4096  # of JSON Lines in one piece: within them an error is answered as an error, not inside the answer
MOST_VALUES = 2_000_000
MOST_BYTES = 4 * 2**20
LONGEST_RECORD = 16 * 2**20
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Rows:
    """Some rows of a file, as the body of a request; `first` is the number of rows before them."""

    body: bytes
    media_type: str
    first: int
    count: int


def suffix_of(path: Path, known: dict[str, Any], option: str) -> str:
    """The suffix of a file, if it is a known one. Raises typer.BadParameter."""
    suffix = path.suffix.lower()
    if suffix not in known:
        raise typer.BadParameter(f"{path.name}: the suffix must be one of {', '.join(known)}", param_hint=option)
    return suffix


def read_rows_file(path: Path) -> Iterator[Rows]:
    """The rows of a file, in order, the form of which its suffix tells.

    Raises:
        typer.BadParameter: the suffix is not known.
        CommandFailed: the file cannot be read as what its suffix says.
        OSError: the file cannot be opened.
    """
    read = READERS[suffix_of(path, READERS, "--file")]
    path.open("rb").close()  # a missing file is reported before anything is sent
    return read(path)


def records(file: IO[bytes]) -> Iterator[bytes]:
    """The records of a CSV file with their line ends: a quoted field may contain line ends. Blank lines are left out."""
    record = bytearray()
    while line := file.readline(LONGEST_RECORD):
        if not record and not line.strip():
            continue
        record += line
        if len(record) >= LONGEST_RECORD:
            raise CommandFailed(f"A row has more than {LONGEST_RECORD} bytes: is a quotation mark left open?")
        if record.count(b'"') % 2 == 0:
            yield bytes(record)
            record.clear()
    if record:
        yield bytes(record)


def _csv(path: Path) -> Iterator[Rows]:
    with path.open("rb") as file:
        if file.read(2) in UTF_16:
            raise CommandFailed(f"{path} is in UTF-16; save it in UTF-8.")
        file.seek(0)
        each = records(file)
        header = next(each, b"")
        if not header.endswith(b"\n"):
            header += b"\n"
        yield from _joined(each, header, CSV, MOST_ROWS)


def _lines(path: Path) -> Iterator[Rows]:
    with path.open("rb") as file:
        yield from _joined((line for line in file if line.strip()), b"", LINES, MOST_LINES)


def _joined(lines: Iterator[bytes], header: bytes, media_type: str, most: int) -> Iterator[Rows]:
    """Lines, gathered to pieces."""
    body, count, first = bytearray(header), 0, 0
    for line in lines:
        body += line
        count += 1
        if count == most or len(body) >= MOST_BYTES:
            yield Rows(bytes(body), media_type, first, count)
            body, count, first = bytearray(header), 0, first + count
    if count:
        yield Rows(bytes(body), media_type, first, count)


def _parquet(path: Path) -> Iterator[Rows]:
    import polars

    return _frames(path, polars.scan_parquet)


def _arrow(path: Path) -> Iterator[Rows]:
    import polars

    return _frames(path, polars.scan_ipc)


def _frames(path: Path, scan: Callable[[Path], Any]) -> Iterator[Rows]:
    import polars

    first = 0
    try:
        table = scan(path)
        most = max(1, min(MOST_ROWS, MOST_VALUES // max(1, len(table.collect_schema()))))
        for batch in table.collect_batches(chunk_size=most):
            for frame in batch.iter_slices(most):
                body = io.BytesIO()
                frame.write_ipc_stream(body)
                yield Rows(body.getvalue(), ARROW, first, len(frame))
                first += len(frame)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise CommandFailed(f"{path} cannot be read as {path.suffix}: {error}") from error


def _npy(path: Path) -> Iterator[Rows]:
    import numpy as np

    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise CommandFailed(f"{path} cannot be read as .npy: {error}") from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim not in (1, 2):
        raise CommandFailed(f"{path} must hold one array of shape [rows, inputs], or [rows] for one input.")
    most = max(1, min(MOST_ROWS, MOST_VALUES // max(1, matrix[:1].size)))
    for first in range(0, len(matrix), most):
        body = io.BytesIO()
        np.save(body, matrix[first : first + most], allow_pickle=False)
        yield Rows(body.getvalue(), NPY, first, len(matrix[first : first + most]))


READERS: dict[str, Callable[[Path], Iterator[Rows]]] = {
    **dict.fromkeys((".csv", ".tsv"), _csv),
    **dict.fromkeys((".ndjson", ".jsonl"), _lines),
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".npy": _npy,
}

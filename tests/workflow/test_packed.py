"""Compressed files: the size of the output is bounded by that of the input."""

import contextlib
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from service.workflow.data.formats.compression import FREE_OUTPUT, check_size, compression_of, decompress
from service.workflow.errors import InvalidData

LARGE = 2**40
TIMES = 2 * FREE_OUTPUT // 2**20


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(bytes(2**20)) * TIMES)
    with pytest.raises(InvalidData, match="come out"):
        decompress(path, "gzip", tmp_path, LARGE)
    path.write_bytes(gzip.compress(bytes(range(256)) * 2**12, 0) * TIMES)
    assert decompress(path, "gzip", tmp_path, LARGE)[0].stat().st_size == TIMES * 2**20


def test_zip(tmp_path: Path) -> None:
    path = tmp_path / "table.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("table.csv", "w") as member:
        for _ in range(TIMES):
            member.write(bytes(2**20))
    with pytest.raises(InvalidData, match="come out"):
        decompress(path, "zip", tmp_path, LARGE)
    with pytest.raises(InvalidData, match="come out"):
        check_size(path, LARGE)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_is_refused_whatever_its_method(method: int, tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.writestr("t.csv", "".join(f"{i},{i * i}\n" for i in range(300)))
    path = tmp_path / "t.zip"
    for at in range(0, len(whole.getvalue()), 7):
        damaged = bytearray(whole.getvalue())
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        with contextlib.suppress(InvalidData):
            if compression_of(path) == "zip":
                decompress(path, "zip", tmp_path, 10**6)

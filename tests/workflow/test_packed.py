"""Files that are packed: what comes out of them is in proportion to what they are."""

import gzip
import zipfile
from pathlib import Path

import pytest

from service.workflow.data.formats.packed import FREE_OUTPUT, check_size, unpack
from service.workflow.errors import InvalidData

LARGE = 2**40
TIMES = 2 * FREE_OUTPUT // 2**20


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(bytes(2**20)) * TIMES)
    with pytest.raises(InvalidData, match="come out"):
        unpack(path, "gzip", tmp_path, LARGE)
    path.write_bytes(gzip.compress(bytes(range(256)) * 2**12, 0) * TIMES)
    assert unpack(path, "gzip", tmp_path, LARGE)[0].stat().st_size == TIMES * 2**20


def test_zip(tmp_path: Path) -> None:
    path = tmp_path / "table.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("table.csv", "w") as member:
        for _ in range(TIMES):
            member.write(bytes(2**20))
    with pytest.raises(InvalidData, match="come out"):
        unpack(path, "zip", tmp_path, LARGE)
    with pytest.raises(InvalidData, match="come out"):
        check_size(path, LARGE)

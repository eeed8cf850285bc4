"""Images in the cells of a Parquet or Arrow file, as Hugging Face's `datasets` writes them, or as plain bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from service.workflow.data.archives.item_index import THUMBNAILS, thumbnail_of
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.schema import Column
from service.workflow.data.stored_table import read_stored
from service.workflow.data.survey import survey
from service.workflow.data.table import Files, RequestedColumn, Table
from service.workflow.data.table_survey import Survey
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import InvalidData
from tests.harness.pictures import picture

PICTURES = [picture(each, "JPEG") for each in range(5)]
FRAME: dict[str, Any] = {
    "id": [10, 20, 30, 40, 50],
    "image": [{"bytes": each, "path": f"{at}.jpg"} for at, each in enumerate(PICTURES)],
    "label": [0, 1, 0, 1, 1],
}


def _surveyed(folder: Path, frame: dict[str, Any], form: str = "parquet", **options: Any) -> Survey:
    folder.mkdir(exist_ok=True)
    getattr(pl.DataFrame(frame), f"write_{form}")(folder / "body")
    return survey(folder / "body", "", ReadingOptions(**options))


def _read(folder: Path, found: Survey) -> Table:
    wanted = {each.name: RequestedColumn(each.type) for each in found.schema.columns if each.type != "unsupported"}
    return read_stored(folder / "body", found.media_type, found.schema, wanted, folder)


def _contents(table: Table, column: str = "image") -> list[bytes | None]:
    files = table.columns[column]
    assert isinstance(files, Files)
    return [files.read(row) for row in range(len(files))]


def _numbers(table: Table, column: str) -> list[float]:
    numbers = table.columns[column]
    assert isinstance(numbers, np.ndarray)
    return [*numbers.tolist()]


@pytest.mark.parametrize("form", ["parquet", "ipc", "ipc_stream"])
def test_objects_with_bytes(tmp_path: Path, form: str) -> None:
    found = _surveyed(tmp_path, FRAME, form)
    assert [(each.name, each.type) for each in found.schema.columns] == [
        ("id", "number"), ("image", "image"), ("label", "number"),
    ]  # fmt: skip
    assert (found.schema.rows, found.schema.target) == (5, "label")
    image = found.schema.columns[1]
    assert (image.statistics["files"], image.statistics["formats"]) == (5, {"jpeg": 5})
    about = {"width": 6, "height": 8, "format": "jpeg", "bytes": len(PICTURES[1])}
    assert found.head[1] == {"id": 20, "image": {"file": "row 2 (1.jpg)", "item": 1, **about}, "label": 1}
    assert thumbnail_of(tmp_path / THUMBNAILS, 4) is not None
    table = _read(tmp_path, found)
    assert _contents(table) == PICTURES
    assert _numbers(table, "label") == [0, 1, 0, 1, 1]


def test_plain_bytes_and_missing_ones(tmp_path: Path) -> None:
    frame = {"a": [None, *PICTURES[1:]], "b": [b"x", b"y", None, None, None], "c": PICTURES}
    found = _surveyed(tmp_path, frame)
    assert [each.type for each in found.schema.columns] == ["image", "unsupported", "image"]
    assert (found.schema.columns[0].missing, found.schema.columns[0].first_missing, found.schema.target) == (1, 0, None)
    assert found.head[0]["a"] is None and found.head[0]["c"]["item"] == 0
    table = _read(tmp_path, found)
    assert _contents(table, "a") == [None, *PICTURES[1:]] and _contents(table, "c") == PICTURES
    alone = _surveyed(tmp_path / "alone", {"c": PICTURES})
    assert [each.type for each in alone.schema.columns] == ["image"]
    assert _contents(_read(tmp_path / "alone", alone), "c") == PICTURES


def test_broken_ones(tmp_path: Path) -> None:
    broken = FRAME | {"image": [*FRAME["image"][:4], {"bytes": PICTURES[4][:50], "path": None}]}
    with pytest.raises(InvalidData, match=r"1 of 5 files is broken.*'row 5': it is"):
        _surveyed(tmp_path, broken)
    found = _surveyed(tmp_path, broken, skip_broken=True)
    assert (found.schema.rows, found.schema.left_out, len(found.head)) == (4, [4], 4)
    table = _read(tmp_path, found)
    assert _contents(table) == PICTURES[:4]
    assert _numbers(table, "id") == [10, 20, 30, 40]
    with pytest.raises(InvalidData, match="holds images"):
        _surveyed(tmp_path, FRAME, types={"image": "category"})
    assert _surveyed(tmp_path, FRAME, types={"label": "category"}).schema.columns[2].type == "category"


def test_files_are_read_as_no_other_type(tmp_path: Path) -> None:
    column: Column = _surveyed(tmp_path, FRAME).schema.columns[1]
    for name, each in COLUMN_TYPES.items():
        assert (each.refusal(column) is None) == (name == "image"), name

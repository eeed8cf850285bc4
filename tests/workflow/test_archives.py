"""Archives of images and videos as data sets: files in folders, and files with a table."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from service.workflow.data.archives.item_index import ITEMS, RECORD, THUMBNAILS, item_of, thumbnail_of
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.stored_table import read_stored
from service.workflow.data.survey import survey
from service.workflow.data.table import Files, RequestedColumn, Table, Texts
from service.workflow.data.table_survey import Survey
from service.workflow.errors import InvalidData
from tests.harness.pictures import picture, written, zip_of

PETS: dict[str, bytes | str] = {
    f"pets/{kind}/{each}.png": picture(each + 10 * len(kind)) for kind in ("cat", "mouse") for each in range(10)
}
TABLE = "file_name,age,label\na/1.png,3,x\n./a/2.jpg,4,y\n,5,x\na/1.png,6,y\n"
NAMED = {"a/1.png": picture(1), "a/2.jpg": picture(2, "JPEG")}


def _surveyed(tmp_path: Path, content: bytes, **options: Any) -> Survey:
    return survey(written(tmp_path, content), "application/zip", ReadingOptions(**options))


def _read(tmp_path: Path, found: Survey, **types: str) -> Table:
    wanted = {each.name: RequestedColumn(types.get(each.name, each.type)) for each in found.schema.columns}
    return read_stored(tmp_path / "body", found.media_type, found.schema, wanted, tmp_path)


def _contents(table: Table, column: str = "image") -> list[bytes | None]:
    files = table.columns[column]
    assert isinstance(files, Files)
    return [files.read(row) for row in range(len(files))]


def _texts(table: Table, column: str = "label") -> list[str | None]:
    texts = table.columns[column]
    assert isinstance(texts, Texts)
    return [None if code < 0 else texts.values[code] for code in texts.codes.tolist()]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_folders_are_labels(tmp_path: Path, method: int) -> None:
    beside = {"pets/.DS_Store": "x", "__MACOSX/pets/cat/._1.png": "x", "pets/none/": "", "pets/README.md": "pets"}
    found = _surveyed(tmp_path, zip_of(PETS | beside, method))
    image, label = found.schema.columns
    assert (found.media_type, found.schema.rows, found.schema.target) == ("application/zip", 20, "label")
    assert (image.name, image.type, image.missing, image.counts_rows) == ("image", "image", 0, False)
    size = {"min": 6, "median": 6, "max": 6}
    assert image.statistics | {"thumbnails": 20} == {
        "files": 20, "bytes": sum(map(len, PETS.values())), "formats": {"png": 20}, "width": size,
        "height": {"min": 8, "median": 8, "max": 8}, "channels": 3, "grey": 0, "thumbnails": 20,
        "labels": ["cat"] * 10 + ["mouse"] * 10,
    }  # fmt: skip
    assert (label.type, label.values, label.counts) == ("category", ["cat", "mouse"], [10, 10])
    about = {"width": 6, "height": 8, "format": "png", "bytes": len(PETS["pets/cat/0.png"])}
    assert found.head[0] == {"image": {"file": "cat/0.png", "item": 0, **about}, "label": "cat"}
    for word in ("file manager", "README.md", "pets/none"):
        assert any(word in note for note in found.notes), found.notes
    table = _read(tmp_path, found)
    assert _contents(table) == [PETS[name] for name in sorted(PETS)]
    assert _texts(table) == ["cat"] * 10 + ["mouse"] * 10


def test_a_table_names_the_files(tmp_path: Path) -> None:
    found = _surveyed(tmp_path, zip_of({"top/metadata.csv": TABLE, **{f"top/{n}": c for n, c in NAMED.items()}}))
    assert [(each.name, each.type) for each in found.schema.columns] == [
        ("image", "image"), ("age", "number"), ("label", "category"),
    ]  # fmt: skip
    assert (found.schema.rows, found.schema.target, found.schema.columns[0].missing) == (4, "label", 1)
    assert found.schema.columns[0].first_missing == 2
    assert found.schema.columns[0].statistics["formats"] == {"jpeg": 1, "png": 2}
    assert [None if row["image"] is None else row["image"]["file"] for row in found.head] == [
        "a/1.png", "a/2.jpg", None, "a/1.png",
    ]  # fmt: skip
    table = _read(tmp_path, found)
    assert _contents(table) == [NAMED["a/1.png"], NAMED["a/2.jpg"], None, NAMED["a/1.png"]]
    ages = table.columns["age"]
    assert isinstance(ages, np.ndarray) and ages.tolist() == [3, 4, 5, 6]
    assert _texts(table) == ["x", "y", "x", "y"]


def test_a_table_of_another_format_or_with_names_alone(tmp_path: Path) -> None:
    lines = '{"file_name": "a/1.png", "n": 1}\n{"file_name": "a/2.jpg", "n": 2.5}\n'
    found = _surveyed(tmp_path / "lines", zip_of({"metadata.jsonl": lines, **NAMED}))
    assert [each.name for each in found.schema.columns] == ["image", "n"] and found.schema.target is None
    assert _contents(_read(tmp_path / "lines", found)) == [*NAMED.values()]
    frame = pl.DataFrame({"file_name": ["a/2.jpg", "a/1.png"]})
    frame.write_parquet(tmp_path / "table")
    packed = zip_of({"metadata.parquet": (tmp_path / "table").read_bytes(), **NAMED})
    found = _surveyed(tmp_path / "parquet", packed)
    assert [each.name for each in found.schema.columns] == ["image"]
    assert _contents(_read(tmp_path / "parquet", found)) == [NAMED["a/2.jpg"], NAMED["a/1.png"]]


def test_broken_files(tmp_path: Path) -> None:
    """They are left out up to one percent, or if that is wished, and their rows with them."""
    files: dict[str, bytes | str] = {f"a/{each:03}.png": picture(each % 5) for each in range(199)}
    files["b/000.png"] = picture(0)[:60]
    one = _surveyed(tmp_path / "one", zip_of(files))
    assert (one.schema.rows, one.schema.left_out) == (199, [199])
    assert any("'b/000.png': it is " in note for note in one.notes)
    assert len(_contents(_read(tmp_path / "one", one))) == 199
    files |= {f"b/{each:03}.jpg": b"<svg/>" for each in range(1, 31)}
    with pytest.raises(InvalidData) as refused:
        _surveyed(tmp_path / "many", zip_of(files))
    for word in ("31 of 230 files are broken", "'b/001.jpg': it is", "and 11 more", "skip_broken=true"):
        assert word in str(refused.value)
    assert "'b/020.jpg'" not in str(refused.value)
    many = _surveyed(tmp_path / "many", zip_of(files), skip_broken=True)
    assert (many.schema.rows, many.schema.columns[1].values) == (199, ["a"])
    with pytest.raises(InvalidData, match="no file can be read"):
        _surveyed(tmp_path / "all", zip_of({"a/1.png": b"x", "b/1.png": b""}), skip_broken=True)


def test_broken_files_of_a_table(tmp_path: Path) -> None:
    files = zip_of({"metadata.csv": TABLE + "a/9.png,x,x\n", **NAMED})
    with pytest.raises(InvalidData, match=r"'a/9\.png': it is named by the table, and not in the zip file"):
        _surveyed(tmp_path, files)
    found = _surveyed(tmp_path, files, skip_broken=True, missing=["x"])
    assert (found.schema.rows, found.schema.left_out) == (4, [4])
    table = _read(tmp_path, found)
    assert len(_contents(table)) == 4 and _texts(table) == [None, "y", None, "y"]


def test_animations_alone_are_videos(tmp_path: Path) -> None:
    moving = {f"{kind}/{each}.gif": picture(each, "GIF", frames=3) for kind in "ab" for each in range(2)}
    found = _surveyed(tmp_path / "video", zip_of(moving))
    assert [(each.name, each.type) for each in found.schema.columns] == [("video", "video"), ("label", "category")]
    assert found.schema.columns[0].statistics["frames"] == {"min": 3, "median": 3, "max": 3}
    assert found.head[0]["video"]["frames"] == 3
    assert _contents(_read(tmp_path / "video", found), "video") == [*moving.values()]
    still = zip_of(moving | {"a/3.gif": picture(3, "GIF")})
    assert _surveyed(tmp_path / "image", still).schema.columns[0].type == "image"
    chosen = _surveyed(tmp_path / "chosen", zip_of(moving), types={"image": "image"})
    assert chosen.schema.columns[0].type == "image"


def test_types_of_labels(tmp_path: Path) -> None:
    """Folders with numbers as names are classes, unless they are said to be numbers."""
    files = zip_of({f"{each}/1.png": picture(each) for each in (0, 5, 10)})
    assert _surveyed(tmp_path, files).schema.columns[1].values == ["0", "10", "5"]
    found = _surveyed(tmp_path, files, types={"label": "number"})
    assert found.schema.columns[1].values == [0, 5, 10]
    numbers = _read(tmp_path, found).columns["label"]
    assert isinstance(numbers, np.ndarray) and numbers.tolist() == [0, 10, 5]
    assert _texts(_read(tmp_path, found, label="category")) == ["0", "10", "5"]
    with pytest.raises(InvalidData, match="the folder 'cat'"):
        _surveyed(tmp_path, zip_of(PETS), types={"label": "number"})


@pytest.mark.parametrize(
    ("files", "options", "reason"),
    [
        ({"a/1.png": picture(1), "2.png": picture(2)}, {}, "'2.png' is in no folder"),
        ({"a/1.png": picture(1), "b/1.mp4": b""}, {}, "1 videos and 1 images"),
        ({"metadata.csv": TABLE.replace("file_name", "file"), **NAMED}, {}, "no column 'file_name'"),
        ({"metadata.csv": TABLE.replace("age", "image"), **NAMED}, {}, "rename it"),
        ({"metadata.csv": TABLE, "b/metadata.csv": TABLE, **NAMED}, {}, "2 tables"),
        ({"a/metadata.csv": TABLE, **NAMED, "b/1.png": b""}, {}, "at the top"),
        ({"metadata.csv": TABLE, "1.txt": ""}, {}, "no images and no videos"),
        (NAMED, {"separator": ";"}, "`separator` is said"),
        (NAMED, {"types": {"size": "number"}}, "there is no such column"),
        (NAMED, {"types": {"image": "category"}}, "holds files"),
    ],
)
def test_what_is_refused(tmp_path: Path, files: dict[str, bytes | str], options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidData) as refused:
        _surveyed(tmp_path, zip_of(files), **options)
    assert reason in str(refused.value)


def test_files_beside_the_data_set(tmp_path: Path) -> None:
    """The bytes of each row are found by its record, and there is a small picture of rows of all labels."""
    many = {f"{kind}/{each:02}.png": picture(each, size=(300, 100)) for kind in "ab" for each in range(40)}
    content = zip_of(many, zipfile.ZIP_DEFLATED)
    found = _surveyed(tmp_path, content)
    records = (tmp_path / ITEMS).read_bytes()
    assert len(records) == 80 * RECORD.size
    item = item_of(records[RECORD.size * 41 :][: RECORD.size])
    assert item is not None and (item.media_type, item.deflated) == ("image/png", True)
    inflated = zipfile.zlib.decompress(content[item.offset :][: item.size], -15)  # type: ignore[attr-defined]
    assert inflated == many["b/01.png"]
    shown = found.schema.columns[0].statistics["thumbnails"]
    assert shown == [*range(32), *range(40, 72)]
    small = thumbnail_of(tmp_path / THUMBNAILS, 40)
    assert small is not None and small.startswith(b"RIFF") and small[8:12] == b"WEBP"
    assert thumbnail_of(tmp_path / THUMBNAILS, 39) is None

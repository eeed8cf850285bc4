"""Data sets: calls of the client."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from modelwright.calls import json_of, objects_in, pages, path
from modelwright.dataset_files import DatasetFile
from modelwright.downloads import FilePath
from modelwright.json_types import Json
from modelwright.methods import operation, stream
from modelwright.results import Dataset
from modelwright.steps import Call, Steps, Stream

BYTES = "application/octet-stream"  # the service detects the format
MEDIA_TYPES = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".dat"), "text/csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "application/x-ndjson"),
    ".json": "application/json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    **dict.fromkeys((".parquet", ".pq"), "application/vnd.apache.parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "application/vnd.apache.arrow.file"),
    ".arrows": "application/vnd.apache.arrow.stream",
    ".npz": "application/x-npz",
    ".npy": "application/x-npy",
}
PACKED = (".gz", ".zip")


class Datasets:
    """Data sets, as steps."""

    @operation
    def upload_dataset(
        self, /, name: str, data: FilePath | bytes, media_type: str | None = None, **reading: Any
    ) -> Steps[Dataset]:
        """Makes a new version of a data set from a file, streamed, or from bytes.

        The format is detected by the suffix, or else by the content. How the file is read is detected, except for the options
        in `reading`: `separator`, `decimal`, `encoding`, `missing` (a list of words), `skip_lines`, `sheet`, `date_formats`,
        `types` (by column) and `skip_broken` (True leaves out any number of broken images).
        """
        query = {name: _in_query(value) for name, value in reading.items() if value is not None}
        return Dataset((yield from json_of(upload(name, data, media_type, query))))

    @operation
    def change_dataset(self, name: str, reading: Json | None = None, types: Json | None = None) -> Steps[Dataset]:
        """Makes a new version of a data set from the newest one's bytes, read in another way: `reading` as in
        `upload_dataset`, `types` by column. None as a value resets an option."""
        wanted = {"reading": reading, "types": types}
        changes = {name: value for name, value in wanted.items() if value is not None}
        return Dataset((yield from json_of(Call("PATCH", path("datasets", name), json=changes))))

    @stream
    def datasets(self) -> Stream[Dataset]:
        """All data sets, by name."""
        yield from pages(Dataset, "/v1/datasets", "name")

    @operation
    def dataset(self, name: str) -> Steps[Dataset]:
        """The newest version of a data set: its columns, rows and digest, and how it is read."""
        return Dataset((yield from json_of(Call("GET", path("datasets", name)))))

    @stream
    def dataset_versions(self, name: str) -> Stream[Dataset]:
        """All versions of a data set, newest first."""
        yield from pages(Dataset, path("datasets", name, "versions"), "version")

    @operation
    def dataset_rows(self, name: str, limit: int = 20) -> Steps[list[Json]]:
        """The first rows of the newest version, at most 1,000, each by column."""
        page = yield from json_of(Call("GET", path("datasets", name, "rows"), query={"limit": limit}))
        return objects_in(page)

    @operation
    def dataset_file(
        self, name: str, item: int, *, column: str | None = None, version: int | None = None, thumbnail: bool = False
    ) -> Steps[DatasetFile]:
        """The image or video in a row, counted from 0, of the newest version or of another; or a small picture of it, which
        the rows have that `statistics["thumbnails"]` of the column lists."""
        query = {"column": column, "version": version, "thumbnail": "true" if thumbnail else None}
        given = {each: value for each, value in query.items() if value is not None}
        response: httpx.Response = yield Call("GET", path("datasets", name, "items", item), query=given)
        return DatasetFile(response.content, response.headers.get("Content-Type", BYTES))

    @operation
    def delete_dataset(self, name: str) -> Steps[None]:
        """Removes a data set; jobs that wait for it fail."""
        yield Call("DELETE", path("datasets", name))


def upload(
    name: str, data: FilePath | bytes, media_type: str | None = None, query: Mapping[str, Any] | None = None
) -> Call:
    """The upload of a data set."""
    content = data if isinstance(data, bytes) else Path(data)
    if media_type is None:
        media_type = BYTES if isinstance(content, bytes) else MEDIA_TYPES.get(_suffix(content), BYTES)
    headers = {"Content-Type": media_type}
    return Call("PUT", path("datasets", name), query=query or {}, headers=headers, content=content)


def table_name(file: Path) -> str:
    """The name of a file without its suffixes."""
    return (Path(file.stem) if file.suffix.lower() in PACKED else file).stem


def _suffix(file: Path) -> str:
    """The suffix of the table, which may be compressed."""
    return (Path(file.stem) if file.suffix.lower() in PACKED else file).suffix.lower()


def _in_query(value: Any) -> Any:
    """Objects and truth values as JSON; a list of words as such, so that a word with a comma is not split."""
    if isinstance(value, Mapping | bool):
        return json.dumps(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        words: list[Any] = [*value]
        return words if len(words) > 1 else [*words, ""]
    return value

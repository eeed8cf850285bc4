"""Reads a stored archive of files into a table, whose files stay where they are."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from service.workflow.data.archives.directory import read_directory
from service.workflow.data.archives.layout import LABEL, Layout, layout_of
from service.workflow.data.archives.rows import extract_table, files_at, named_files
from service.workflow.data.formats import MOST_UNPACKED_BYTES, NAMES, open_table
from service.workflow.data.native_errors import native_errors
from service.workflow.data.read import read
from service.workflow.data.schema import Archive, Schema, how_of
from service.workflow.data.table import RequestedColumn, Table, Values
from service.workflow.data.values import InvalidValue, column
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown


def read_archive(path: Path, schema: Schema, wanted: Mapping[str, RequestedColumn], scratch: Path) -> Table:
    """The wanted columns of a surveyed archive, whose files are read from it later. Temporary files are below `scratch`.

    Raises:
        InvalidData: a value is not of the wanted type; its column and row are named.
    """
    archive = schema.archive
    assert archive is not None  # noqa: S101 - every archive's survey has set it
    layout = layout_of(read_directory(path, MOST_UNPACKED_BYTES))
    if archive.table is None:
        return _of_folders(layout, schema, archive, wanted)
    return _of_table(layout, schema, archive, wanted, scratch)


def _of_folders(layout: Layout, schema: Schema, archive: Archive, wanted: Mapping[str, RequestedColumn]) -> Table:
    kept = _kept(len(layout.media), schema)
    positions = [layout.media[row] for row in kept.tolist()]
    columns: dict[str, Values] = {}
    for name, each in wanted.items():
        if name == archive.column:
            columns[name] = files_at(layout, positions)
        elif name == LABEL:
            columns[name] = _labels(layout, positions, each, schema)
    return Table(columns)


def _labels(layout: Layout, positions: list[int], wanted: RequestedColumn, schema: Schema) -> Values:
    try:
        return column(layout.labels(positions) or [], wanted, how_of(schema, LABEL))
    except InvalidValue as error:
        message = f"the column {shown(LABEL)}, row {error.row + 1}"
        raise InvalidData(f"{message}: {error}") from None


def _of_table(
    layout: Layout, schema: Schema, archive: Archive, wanted: Mapping[str, RequestedColumn], scratch: Path
) -> Table:
    assert archive.media_type is not None  # noqa: S101 - it has a table
    if layout.table is None:
        raise InvalidData("the zip file has no longer the table that it had when it was uploaded")
    path = extract_table(layout, scratch)
    columns: dict[str, Values] = {}
    rows = schema.rows + len(schema.left_out)
    if archive.column in wanted:
        kind = archive.media_type
        with native_errors(NAMES[kind]), open_table(path, kind, schema.reading, scratch) as table:
            positions, _ = named_files(table, layout)
        columns[archive.column] = files_at(layout, [positions[row] for row in _kept(len(positions), schema).tolist()])
    others = {name: each for name, each in wanted.items() if name != archive.column}
    if others:
        whole = read(path, archive.media_type, schema.model_copy(update={"rows": rows}), others, scratch)
        columns |= (whole.rows(_kept(rows, schema)) if schema.left_out else whole).columns
    return Table({name: columns[name] for name in wanted})


def _kept(rows: int, schema: Schema) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The positions of the rows that are not left out, int64 [n].

    Raises:
        InvalidData: there are others than there were.
    """
    if rows != schema.rows + len(schema.left_out):
        raise InvalidData(f"the zip file has other rows than the {schema.rows} that it had when it was uploaded")
    kept = np.ones(rows, np.bool_)
    kept[schema.left_out] = False
    return np.flatnonzero(kept).astype(np.int64)

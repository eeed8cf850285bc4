"""Reads a stored data set of any kind into a table."""

from collections.abc import Mapping
from pathlib import Path

from service.workflow.data.archives.cells import IMAGE, read_cells
from service.workflow.data.archives.read import read_archive
from service.workflow.data.arrays.read import read_arrays
from service.workflow.data.formats import NPY, NPZ, ZIP
from service.workflow.data.read import read
from service.workflow.data.schema import Schema
from service.workflow.data.table import RequestedColumn, Table


def read_stored(
    path: Path, media_type: str, schema: Schema, wanted: Mapping[str, RequestedColumn], scratch: Path
) -> Table:
    """The wanted columns of a surveyed file. Temporary files are below `scratch`.

    Args:
        path: of the file, which the table's columns of files, if it has any, are read from later.

    Raises:
        InvalidData: a value is not of the wanted type; its column and row are named.
    """
    if media_type == ZIP:
        return read_archive(path, schema, wanted, scratch)
    if media_type in (NPZ, NPY):
        return read_arrays(path, media_type, schema, wanted, scratch)
    if any(each.type == IMAGE for each in wanted.values()) or schema.left_out:
        return read_cells(path, media_type, schema, wanted, scratch)
    return read(path, media_type, schema, wanted, scratch)

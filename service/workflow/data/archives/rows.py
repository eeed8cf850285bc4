"""The rows of an archive of files, as its upload and each training find them."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from service.workflow.data.archives.directory import LONGEST_PATH
from service.workflow.data.archives.layout import FILE_NAME, Layout
from service.workflow.data.formats.compression import CHUNK, archive_errors
from service.workflow.data.formats.table_file import Batch, TableFile
from service.workflow.data.table import Files
from service.workflow.data.types.evidence import Evidence
from service.workflow.errors import InvalidData
from service.workflow.spec_base import nearest, shown

if TYPE_CHECKING:
    import polars as pl

MISSING = -1  # the position of a row without a file


def files_at(layout: Layout, positions: Sequence[int]) -> Files:
    """The files at these positions of the directory, one for each row; -1 for a row without one."""
    of, at = layout.directory.files, np.array(positions, np.int64)
    none, found = at == MISSING, np.maximum(at, 0)
    return Files(
        of.path,
        np.where(none, -1, of.offsets[found]),
        np.where(none, 0, of.sizes[found]),
        np.where(none, 0, of.unpacked[found]),
        of.deflated[found] & ~none,
        names=["" if each == MISSING else layout.name(each) for each in positions],
    )


def extract_table(layout: Layout, scratch: Path) -> Path:
    """A copy of the table beside the files, below `scratch`."""
    assert layout.table is not None  # noqa: S101 - the caller has checked it
    path = scratch / PurePosixPath(layout.name(layout.table)).name.lower()
    name = layout.directory.names[layout.table]
    with (
        archive_errors("the zip file"),
        zipfile.ZipFile(layout.directory.files.path) as archive,
        archive.open(name) as packed,
        path.open("wb") as file,
    ):
        while chunk := packed.read(CHUNK):
            file.write(chunk)
    return path


def named_files(table: TableFile, layout: Layout) -> tuple[list[int], list[tuple[int, str]]]:
    """The position in the directory of each row's file, and the rows whose file is not there with its name.

    Raises:
        InvalidData: no column names the files.
    """
    import polars as pl

    if FILE_NAME not in table.names:
        hint = nearest(FILE_NAME, table.names)
        raise InvalidData(f"the table beside the files has no column {shown(FILE_NAME)}; {hint}")
    known = {layout.name(at): at for at in range(len(layout.directory.names))}
    positions: list[int] = []
    absent: list[tuple[int, str]] = []
    for batch in table.batches([FILE_NAME], {}):
        names = batch[FILE_NAME]
        if names.dtype not in (pl.String, pl.Null) and names.dtype.base_type() not in (pl.Categorical, pl.Enum):
            raise InvalidData(f"the column {shown(FILE_NAME)} has no names of files but other values")
        for name in names.cast(pl.String).to_list():
            wanted = (name or "").strip().removeprefix("./")
            at = known.get(wanted, MISSING)
            if wanted and at == MISSING:
                absent.append((len(positions), wanted[:LONGEST_PATH]))
            positions.append(at)
    return positions, absent


class WithoutRows(TableFile):
    """A table without some of its columns and rows."""

    def __init__(self, of: TableFile, names: Sequence[str], left_out: Sequence[int]) -> None:
        self._of = of
        self._left_out = np.array(left_out, np.int64)
        self.names = [*names]
        self.notes, self.nameless, self.well_formed, self.typed = of.notes, of.nameless, of.well_formed, of.typed

    def gather(self, evidence: Mapping[str, Evidence]) -> "dict[str, pl.DataType]":
        """As the whole table, whose other rows show more of its types."""
        return self._of.gather(evidence)

    def batches(self, names: Sequence[str], plain: "Mapping[str, pl.DataType]") -> "Iterator[Batch]":
        """The named columns without the rows that are left out."""
        before = 0
        for batch in self._of.batches(names, plain):
            rows = len(next(iter(batch.values())))
            kept = np.ones(rows, np.bool_)
            first, last = np.searchsorted(self._left_out, (before, before + rows))
            kept[self._left_out[first:last] - before] = False
            before += rows
            yield batch if kept.all() else {name: series.filter(kept) for name, series in batch.items()}

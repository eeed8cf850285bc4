"""Surveys a table file some of whose columns hold images."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from service.workflow.data.archives.cells import extract
from service.workflow.data.archives.checks import (
    IMAGE,
    check_files,
    file_column,
    left_out,
    shown_file,
    spread_over,
    thumbnails,
)
from service.workflow.data.archives.item_index import THUMBNAILS, write_thumbnails
from service.workflow.data.archives.layout import LABEL
from service.workflow.data.archives.rows import WithoutRows
from service.workflow.data.formats.columnar import ColumnarFile
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.schema import Column, Schema
from service.workflow.data.sniff import SniffedFile
from service.workflow.data.survey_limits import short_head
from service.workflow.data.table import Files, Numbers
from service.workflow.data.table_survey import HEAD_ROWS, Survey, check_names, survey_table
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown


def survey_cells(
    table: ColumnarFile, names: Sequence[str], sniffed: SniffedFile, options: ReadingOptions, scratch: Path
) -> Survey:
    """Surveys an open file whose columns `names` hold images. Small pictures are written beside the folder `scratch`.

    Raises:
        InvalidData: too many images are broken, or another column cannot be read.
    """
    check_names(options, table.names)
    for name in names:
        if (wanted := options.types.get(name, IMAGE)) != IMAGE:
            raise InvalidData(f"`types` says {wanted} of the column {shown(name)}, which holds images: leave it out")
    pictures = {name: _Pictures(extract(table, name, scratch / f"cells-{at}")) for at, name in enumerate(names)}
    broken = {each.row: each for found in pictures.values() for each in found.broken}
    rows = len(pictures[names[0]].files)
    out, notes = left_out([broken[row] for row in sorted(broken)], rows, skip=options.skip_broken)
    kept = np.delete(np.arange(rows), out)
    rest = _others(table, pictures, out, sniffed, options)
    columns: dict[str, Column] = {} if rest is None else {each.name: each for each in rest.schema.columns}
    labels = [str(row[LABEL]) for row in rest.head] if rest is not None and LABEL in columns else None
    cells: dict[str, list[Any]] = {}
    for name, each in pictures.items():
        small = scratch.with_name(THUMBNAILS) if name == names[0] else None
        columns[name], cells[name] = each.described(name, kept, labels, small)
    first = range(min(len(kept), HEAD_ROWS) if rest is None else len(rest.head))
    head = [
        {name: cells[name][row] if rest is None or name in cells else rest.head[row].get(name) for name in columns}
        for row in first
    ]
    schema = Schema(
        rows=len(kept),
        columns=[columns[name] for name in table.names],
        reading=sniffed.reading if rest is None else rest.schema.reading,
        target=LABEL if LABEL in columns and LABEL not in cells else None,
        left_out=out,
    )
    return Survey(
        sniffed.media_type, schema, [*notes, *(sniffed.notes if rest is None else rest.notes)], short_head(head)
    )


def _others(
    table: ColumnarFile, without: Collection[str], out: Sequence[int], sniffed: SniffedFile, options: ReadingOptions
) -> Survey | None:
    """The survey of the other columns; None if there are none."""
    names = [name for name in table.names if name not in without]
    if not names:
        return None
    own = options.model_copy(update={"types": {name: options.types[name] for name in names if name in options.types}})
    others = WithoutRows(table, names, out)
    return survey_table(others, sniffed.media_type, sniffed.reading, own, sniffed.notes, alone=False)


class _Pictures:
    """The images of a column, checked."""

    def __init__(self, files: Files) -> None:
        self.files = files
        checked = check_files(files, IMAGE)
        self._facts, self.broken = checked.facts, checked.broken

    def described(
        self, name: str, kept: Numbers, labels: Sequence[str] | None, small: Path | None
    ) -> tuple[Column, list[Any]]:
        """The column of the rows that are kept, int64 [n], and its first cells.

        Args:
            labels: of the first rows.
            small: where small pictures are written, if they are.
        """
        files, facts = self.files.rows(kept), [self._facts[row] for row in kept.tolist()]
        there = [row for row, each in enumerate(facts) if each is not None and (labels is None or row < len(labels))]
        chosen = [] if small is None else spread_over(labels, there)
        if small is not None:
            write_thumbnails(small, thumbnails(files, IMAGE, facts, chosen))
        first = range(min(len(facts), HEAD_ROWS))
        cells = [shown_file(row, files.names[row], facts[row]) for row in first]
        return file_column(name, IMAGE, files.names, facts, chosen), cells

"""Surveys an archive of files: checks each of them, and describes the columns of the table that they are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from service.workflow.data.archives.checks import (
    IMAGE,
    VIDEO,
    Broken,
    check_files,
    file_column,
    left_out,
    shown_file,
    spread_over,
    thumbnails,
)
from service.workflow.data.archives.directory import read_directory
from service.workflow.data.archives.item_index import ITEMS, THUMBNAILS, write_items, write_thumbnails
from service.workflow.data.archives.layout import FILE_NAME, LABEL, VIDEOS, Layout, layout_of
from service.workflow.data.archives.rows import MISSING, WithoutRows, extract_table, files_at, named_files
from service.workflow.data.formats import NAMES, ZIP, open_table
from service.workflow.data.infer import Inferred
from service.workflow.data.native_errors import native_errors
from service.workflow.data.reading import Reading, ReadingOptions
from service.workflow.data.records_schema import surveyed
from service.workflow.data.schema import Archive, Column, Schema
from service.workflow.data.sniff import sniff
from service.workflow.data.survey_limits import short_head
from service.workflow.data.table_survey import HEAD_ROWS, TEXT_OPTIONS, Survey, check_names, survey_table
from service.workflow.data.types.category import Category
from service.workflow.data.values import InvalidValue
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown


def survey_files(path: Path, options: ReadingOptions, scratch: Path, most_bytes: int) -> Survey:
    """Surveys an archive. Beside it, two files are written: `ITEMS` and `THUMBNAILS`. Temporary files are below `scratch`.

    Args:
        most_bytes: that may come out of the archive.

    Raises:
        InvalidData: it breaks a rule, too many of its files are broken, or its table cannot be read.
    """
    layout = layout_of(read_directory(path, most_bytes))
    if layout.table is None:
        return _of_folders(layout, options)
    return _of_table(layout, options, scratch, most_bytes)


def _of_folders(layout: Layout, options: ReadingOptions) -> Survey:
    given = [name for name in TEXT_OPTIONS if getattr(options, name) is not None]
    if given:
        raise InvalidData(f"`{given[0]}` is said, and files in folders have none")
    positions, labels = layout.media, _labels(layout)
    files = _Files(layout, positions, options)
    check_names(options, [files.kind, *([] if labels is None else [LABEL])])
    out, notes = left_out(files.checked.broken, len(positions), skip=options.skip_broken)
    kept = _kept(len(positions), out)
    kept_labels = None if labels is None else [labels[row] for row in kept]
    column, head = files.described(kept, kept_labels)
    columns, reading = [column], Reading()
    if kept_labels is not None:
        columns.append(_label_column(kept_labels, options, reading))
        for row, label in zip(head, kept_labels, strict=False):
            row[LABEL] = label
    else:
        notes.append("the files are in no folders, so that they have no labels")
    schema = Schema(
        rows=len(kept),
        columns=columns,
        reading=reading,
        target=None if labels is None else LABEL,
        archive=Archive(column=files.kind, type=files.kind),
        left_out=out,
    )
    return Survey(ZIP, schema, [*layout.notes, *notes], short_head(head))


def _of_table(layout: Layout, options: ReadingOptions, scratch: Path, most_bytes: int) -> Survey:
    assert layout.table is not None and layout.table_type is not None  # noqa: S101 - the caller has checked it
    (scratch / "sniffed").mkdir()
    path = extract_table(layout, scratch)
    others = options.model_copy(
        update={"types": {name: each for name, each in options.types.items() if name not in (IMAGE, VIDEO)}}
    )
    with native_errors("a table"):
        found = sniff(path, layout.table_type, others, scratch / "sniffed", most_bytes)
    with (
        native_errors(NAMES[found.media_type]),
        open_table(path, found.media_type, found.reading, scratch) as table,
    ):
        positions, absent = named_files(table, layout)
        files = _Files(layout, positions, options)
        absences = [Broken(row, name, "it is named by the table, and not in the zip file") for row, name in absent]
        broken = sorted([*files.checked.broken, *absences], key=lambda each: each.row)
        named = sum(each != MISSING for each in positions) + len(absences)
        out, notes = left_out(broken, named, skip=options.skip_broken)
        kept = _kept(len(positions), out)
        names = [name for name in table.names if name != FILE_NAME]
        if files.kind in names:
            raise InvalidData(f"the table has a column {shown(files.kind)}, as that of the files is called: rename it")
        rest = None
        if names:
            of = WithoutRows(table, names, out)
            rest = survey_table(of, found.media_type, found.reading, others, found.notes, alone=False)
    unnamed = len(set(layout.media) - set(positions))
    if unnamed:
        notes.append(f"images and videos that no row of the table names are left out: {unnamed}")
    labels = None if rest is None or LABEL not in names else [str(row.get(LABEL)) for row in rest.head]
    column, head = files.described(kept, labels)
    if rest is not None:
        head = [{**row, **other} for row, other in zip(head, rest.head, strict=False)]
    schema = Schema(
        rows=len(kept),
        columns=[column, *([] if rest is None else rest.schema.columns)],
        reading=found.reading if rest is None else rest.schema.reading,
        target=LABEL if LABEL in names else None,
        archive=Archive(
            column=files.kind,
            type=files.kind,
            table=layout.directory.names[layout.table],
            media_type=found.media_type,
        ),
        left_out=out,
    )
    return Survey(ZIP, schema, [*layout.notes, *notes, *([] if rest is None else rest.notes)], short_head(head))


class _Files:
    """The files of all rows, checked."""

    def __init__(self, layout: Layout, positions: Sequence[int], options: ReadingOptions) -> None:
        self.files = files_at(layout, positions)
        sums = layout.directory.checksums[[max(each, 0) for each in positions]]
        kind, checked = _kind(self.files.names, options), None
        if kind is None:  # GIF files alone: videos if all of them are animated
            checked = check_files(self.files, IMAGE, sums)
            frames = [each.frames for each in checked.facts if each is not None]
            kind = VIDEO if frames and min(frames) > 1 else IMAGE
        self.kind = kind
        self.checked = checked if checked is not None and kind == IMAGE else check_files(self.files, kind, sums)

    def described(self, kept: Sequence[int], labels: Sequence[str] | None) -> tuple[Column, list[dict[str, Any]]]:
        """The column of the rows that are kept, and its first rows. Writes the files beside the archive.

        Args:
            labels: of the first rows, or of all.
        """
        files, facts = self.files, [self.checked.facts[row] for row in kept]
        if len(kept) < len(files):
            files = files.rows(np.array(kept, np.int64))
        there = [row for row, each in enumerate(facts) if each is not None and (labels is None or row < len(labels))]
        chosen = spread_over(labels, there)
        write_items(files.path.with_name(ITEMS), files, [None if each is None else each.format for each in facts])
        write_thumbnails(files.path.with_name(THUMBNAILS), thumbnails(files, self.kind, facts, chosen))
        first = range(min(len(facts), HEAD_ROWS))
        head = [{self.kind: shown_file(row, files.names[row], facts[row])} for row in first]
        column = file_column(self.kind, self.kind, files.names, facts, chosen)
        if labels is not None:  # beside each small picture
            shown = {"labels": [labels[row] for row in chosen]}
            column = column.model_copy(update={"statistics": column.statistics | shown})
        return column, head


def _kind(names: Sequence[str], options: ReadingOptions) -> str | None:
    """Whether files are images or videos, by the options or their suffixes; None if their frames decide.

    Raises:
        InvalidData: there are both.
    """
    for kind, other in ((IMAGE, VIDEO), (VIDEO, IMAGE)):
        wanted = options.types.get(kind)
        if wanted == kind and other not in options.types:
            return kind
        if wanted is not None:
            raise InvalidData(f"`types` says {wanted} of the column {shown(kind)}, which holds files: leave it out")
    suffixes = Counter(PurePosixPath(name.lower()).suffix for name in names if name)
    videos = sum(suffixes[each] for each in VIDEOS)
    if 0 < videos < suffixes.total() - suffixes[".gif"]:
        message = f"the zip file has {videos} videos and {suffixes.total() - videos} images"
        raise InvalidData(f"{message}: upload them as two data sets")
    if videos:
        return VIDEO
    return None if suffixes and set(suffixes) == {".gif"} else IMAGE


def _labels(layout: Layout) -> list[str] | None:
    """The label of each file: its folder's name. None if no file is in a folder."""
    labels = layout.labels(layout.media)
    if labels is not None or not any("/" in layout.name(each) for each in layout.media):
        return labels
    alone = next(layout.name(each) for each in layout.media if "/" not in layout.name(each))
    raise InvalidData(f"{shown(alone)} is in no folder, and the folders of other files are their labels: put it in one")


def _label_column(labels: Sequence[str], options: ReadingOptions, reading: Reading) -> Column:
    kind = options.types.get(LABEL, Category.name)
    reason = "requested" if LABEL in options.types else "the names of the folders"
    try:
        found = surveyed(LABEL, labels, Inferred(kind, reason), reading)
    except InvalidValue as error:
        where = f"the folder {shown(labels[error.row])}"
        raise InvalidData(f"the column {shown(LABEL)} cannot be of type {kind}: {where}: {error}") from None
    distinct = {} if found.values is None else {"distinct": len(found.values)}
    return found.model_copy(update={"statistics": distinct | found.statistics})


def _kept(rows: int, out: Sequence[int]) -> list[int]:
    without = frozenset(out)
    return [row for row in range(rows) if row not in without]

"""Surveys the columns of an open table: the types of its columns, and then, as a training will read it, their statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.workflow.data.column_survey import ColumnSurvey
from service.workflow.data.formats.table_file import TableFile
from service.workflow.data.infer import Inferred, evidence_for, infer
from service.workflow.data.reading import Reading, ReadingOptions
from service.workflow.data.schema import MOST_COLUMNS, Column, Misfit, Schema
from service.workflow.data.survey_limits import short_head, with_few_values
from service.workflow.data.types.datetime import Datetime
from service.workflow.data.types.evidence import Evidence
from service.workflow.data.types.names import LONGEST_NAME, TypeName
from service.workflow.data.types.registry import COLUMN_TYPES, by_precedence
from service.workflow.data.types.stored_types import in_words
from service.workflow.errors import InvalidData
from service.workflow.spec_base import nearest, shown

if TYPE_CHECKING:
    import polars as pl

HEAD_ROWS = 1000
TEXT_OPTIONS = ("separator", "decimal", "encoding", "missing", "skip_lines", "sheet")  # of how texts are read


@dataclass(frozen=True)
class Survey:
    """The detected media type, the schema, notes for the owner, and the first rows."""

    media_type: str
    schema: Schema
    notes: list[str]
    head: list[dict[str, Any]]


def survey_table(
    table: TableFile,
    media_type: str,
    reading: Reading,
    options: ReadingOptions,
    notes: Sequence[str],
    *,
    alone: bool = True,
) -> Survey:
    """Surveys the columns of an open table.

    Args:
        notes: on how it was detected.
        alone: whether there are no other columns, such as one of images.

    Raises:
        InvalidData: it cannot be read, or nothing can be learned from it.
    """
    if not 1 <= len(table.names) <= MOST_COLUMNS:
        raise InvalidData(f"the file has {len(table.names)} columns; 1 to {MOST_COLUMNS} are possible")
    for name in table.names:
        if not 1 <= len(name) <= LONGEST_NAME:
            raise InvalidData(f"a column's name has 1 to {LONGEST_NAME} characters; {shown(name)} has {len(name)}")
    check_names(options, table.names)
    gathered = {name: evidence_for(options, reading.decimal, quoted=table.typed) for name in table.names}
    dtypes = table.gather(gathered)  # of the columns that are not texts
    gathered = {name: each for name, each in gathered.items() if name not in dtypes}
    findings = infer(gathered, options, day_first=reading.decimal == "," or reading.separator == ";")
    dropped = _dropped(table, gathered)
    names = [name for name in table.names if name not in dropped]
    dates = {name: each for name, each in options.date_formats.items() if name in names}
    dates |= {name: each.date_format for name, each in findings.columns.items() if each.date_format is not None}
    about = {"missing": findings.missing, "date_formats": dates, "well_formed": table.well_formed}
    reading = reading.model_copy(update=about)
    inferred = findings.columns | {name: _typed(name, dtype, options) for name, dtype in dtypes.items()}
    surveys = {name: ColumnSurvey(name, inferred[name], reading, name in table.nameless) for name in names}
    rows = _read(table, surveys)
    if not rows:
        raise InvalidData("the file has columns but no rows")
    columns = with_few_values([each.column(rows) for each in surveys.values()])
    if alone and all(each.type == "unsupported" for each in columns):
        raise InvalidData(f"no column can be learned from: {shown(columns[0].name)} {columns[0].reason}")
    notes = [*notes, *table.notes, *_about_names(table, dropped)]
    notes += [*findings.notes, *_about(columns, rows), *(note for each in surveys.values() for note in each.notes)]
    rows_shown = zip(*(each.head() for each in surveys.values()), strict=True)
    head = short_head([dict(zip(surveys, row, strict=True)) for row in rows_shown])
    return Survey(media_type, Schema(rows=rows, columns=columns, reading=reading), notes, head)


def _about_names(table: TableFile, dropped: set[str]) -> list[str]:
    nameless = [name for name in table.names if name in table.nameless - dropped]
    notes = [f"{shown(name)} is what a column without a name is called" for name in nameless]
    return [*notes, *["a last column without a name and without values was left out"] * len(dropped)]


def check_names(options: ReadingOptions, names: Sequence[str]) -> None:
    """Raises InvalidData if an option is of a column that there is not."""
    known = frozenset(names)
    for what, given in (("types", options.types), ("date_formats", options.date_formats)):
        for name in given:
            if name not in known:
                raise InvalidData(f"`{what}` names {shown(name)}, and there is no such column; {nearest(name, names)}")


def _dropped(table: TableFile, gathered: Mapping[str, Evidence]) -> set[str]:
    """Last columns with neither a name nor a value, from separators at the end of each line."""
    found: set[str] = set()
    for name in reversed(table.names[1:]):
        if name not in table.nameless or name not in gathered or gathered[name].blank < gathered[name].rows:
            break
        found.add(name)
    return found


def _typed(name: str, dtype: "pl.DataType", options: ReadingOptions) -> Inferred:
    """The type of a column with a type in the file."""
    import polars as pl

    reason = f"the file says {in_words(dtype)}"
    requested = options.types.get(name) or (Datetime.name if name in options.date_formats else None)
    if dtype.is_nested() or dtype.base_type() in (pl.Binary, pl.Object):
        return Inferred("unsupported", f"holds {in_words(dtype)}")
    kind = next(each for each in by_precedence() if each.holds(dtype))
    misfits: dict[TypeName, Misfit] = {}
    if dtype == pl.Time:
        misfits = {other: Misfit(row=0, cell="") for other in COLUMN_TYPES if other != kind.name}
    date_format = options.date_formats.get(name)
    return Inferred(requested or kind.name, reason, plain=kind.numeric, date_format=date_format, misfits=misfits)


def _read(table: TableFile, surveys: Mapping[str, ColumnSurvey]) -> int:
    """Reads the table as a training will. Returns its number of rows."""
    import polars as pl

    rows = 0
    plain = {name: pl.Float64() for name, each in surveys.items() if each.inferred.plain}
    for batch in table.batches(list(surveys), plain):
        for name, each in surveys.items():
            each.add(batch[name], rows, HEAD_ROWS)
        rows += len(next(iter(batch.values())))
    return rows


def _about(columns: list[Column], rows: int) -> list[str]:
    reasons = {
        "it is empty throughout": [column.name for column in columns if column.missing == rows],
        "it only counts or names the rows": [column.name for column in columns if column.counts_rows],
        "it is of a kind that no model here reads": [each.name for each in columns if each.type == "unsupported"],
    }
    named = [(name, reason) for reason, names in reasons.items() for name in names[:20]]
    return [f"{shown(name)} is no feature unless it is named: {reason}" for name, reason in named]

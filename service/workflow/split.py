"""Step 2, split: train, validation, calibration and test, in this order."""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from service.workflow.data.schema import Column, Schema
from service.workflow.data.table import Numbers, RequestedColumn, Table, Texts, plain
from service.workflow.data.types.names import Name
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import InvalidData, invalid
from service.workflow.parts import CALIBRATION, SPLIT_PARTS
from service.workflow.spec_base import SpecBase, nearest, shown

DEFAULT = {"train": 0.7, "validation": 0.15, "test": 0.15}
BY = ("stratify", "group", "time", "column")
Part = Annotated[int | float | None, Field(ge=0, description="a fraction up to 1, or a count of rows above 1")]


class SplitSpec(SpecBase):
    """Which share of the rows trains, validates and tests. Named parts sum to 1, or to the number of rows; parts not
    named are 0, but an absent `train` takes the rest. At most one of `stratify`, `group`, `time` and `column`."""

    train: Part = None
    validation: Part = None
    calibration: Part = Field(
        default=None, description="the rows of intervals and sets: a fraction up to 1, or a count of rows above 1"
    )
    test: Part = None
    shuffle: bool = True
    seed: int | None = Field(default=None, ge=0, lt=2**63, description="of the shuffle; the training's when absent")
    stratify: Name | None = Field(default=None, description="a column whose values come in every part in like shares")
    group: Name | None = Field(default=None, description="a column whose equal values stay in one part")
    time: Name | None = Field(default=None, description="a column in whose order the parts follow each other")
    column: Name | None = Field(default=None, description="a column that says train, validation, calibration or test")


class ResolvedSplit(SplitSpec):
    """The split with every default filled in. An absent `train` beside named parts stays so: it depends on the rows."""

    seed: int = Field(ge=0, lt=2**63)


@dataclass(frozen=True)
class Split:
    """The rows of each part, as int64 indices into the table."""

    train: torch.Tensor
    validation: torch.Tensor
    test: torch.Tensor
    calibration: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    def part(self, name: str) -> torch.Tensor:
        """The rows of a part, by its name."""
        rows: torch.Tensor = getattr(self, name)
        return rows

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each part's row indices (little-endian int64). A calibration part without rows has none."""
        names = [name for name in SPLIT_PARTS if name != CALIBRATION or len(self.calibration)]
        return {name: hashlib.sha256(self.part(name).numpy().astype("<i8").tobytes()).hexdigest() for name in names}


def resolve(spec: SplitSpec | None, seed: int, schema: Schema) -> ResolvedSplit:
    """Fills in what the split leaves out; `seed` is the training's.

    Raises:
        InvalidSpec: a column that cannot be split by, parts that do not add up, or a part without rows.
    """
    spec = spec or SplitSpec()
    _check_columns(spec, schema)
    named = {name: value for name in SPLIT_PARTS if (value := getattr(spec, name)) is not None}
    filled = {name: (named or DEFAULT).get(name, 0 if name in ("validation", "test") else None) for name in SPLIT_PARTS}
    if spec.column is not None:
        filled = dict.fromkeys(SPLIT_PARTS)
    if not spec.calibration:
        filled[CALIBRATION] = None
    ordered = {"shuffle": False} if spec.time is not None or spec.column is not None else {}
    seeded = {"seed": seed if spec.seed is None else spec.seed}
    resolved = ResolvedSplit.model_validate(dict(spec) | filled | ordered | seeded)
    counts = sizes(resolved, schema)
    for name in SPLIT_PARTS:
        if not counts.get(name) and (name == "train" or named.get(name)):
            raise invalid(f"/split/{name}", f"no row of {schema.rows} is left for this part")
    return resolved


def sizes(spec: SplitSpec, schema: Schema) -> dict[str, int]:
    """The number of rows of each part of a resolved split; approximate for a split by `group`. Of the calibration part only if it
    has rows.

    Raises:
        InvalidSpec: the parts do not sum to 1 or to the rows.
    """
    if spec.column is not None:
        column = schema.column(spec.column)
        counted = {} if column is None else dict(zip(column.values or [], column.counts or [], strict=True))
        counts = {name: counted.get(name, 0) for name in SPLIT_PARTS}
    else:
        counts = _counts(spec, schema.rows)
    return {name: count for name, count in counts.items() if count or name != CALIBRATION}


def columns(spec: SplitSpec, schema: Schema) -> dict[str, RequestedColumn]:
    """The columns that the split reads, and their types."""
    made = {name: RequestedColumn("category") for by in ("stratify", "group", "column") if (name := getattr(spec, by))}
    if spec.time is not None:
        column = schema.column(spec.time)
        numeric = column is not None and COLUMN_TYPES[column.type].numeric
        made[spec.time] = RequestedColumn("number" if numeric else "datetime", exact=True)
    return made


def split(spec: ResolvedSplit, table: Table) -> Split:
    """The rows of each part. Shuffling uses a generator of its own.

    Raises:
        InvalidData: a row lacks the value to split by, or the training part is empty.
    """
    rows = len(table)
    if spec.column is not None:
        made = _by_column(plain(table.columns[spec.column]), spec.column)
    elif spec.group is not None:
        made = _by_group(spec, plain(table.columns[spec.group]), rows)
    else:
        counts = _counts(spec, rows)
        rows_of = _order(spec, table, rows).split([counts[name] for name in SPLIT_PARTS])
        made = Split(**dict(zip(SPLIT_PARTS, rows_of, strict=True)))
    if not len(made.train):
        raise InvalidData("the split leaves no row to train on")
    return made


def _order(spec: ResolvedSplit, table: Table, rows: int) -> torch.Tensor:
    if spec.time is not None:
        times = plain(table.columns[spec.time])
        assert not isinstance(times, Texts)  # noqa: S101 - it was read as times
        if np.isnan(times).any():
            row = int(np.isnan(times).argmax()) + 1
            raise InvalidData(f"{shown(spec.time)} is missing in row {row}; a split by time needs it")
        return torch.from_numpy(np.argsort(times, kind="stable"))
    order = _shuffled(spec, rows)
    return order if spec.stratify is None else _interleaved(plain(table.columns[spec.stratify]), order)


def _shuffled(spec: ResolvedSplit, count: int) -> torch.Tensor:
    if not spec.shuffle:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(spec.seed))


def _interleaved(column: Numbers | Texts, order: torch.Tensor) -> torch.Tensor:
    """The rows in an order of which each prefix has every value in about its overall share: the k-th of a value's m rows is
    placed at (k + ½) / m."""
    codes = _codes(column)[order.numpy()]
    place = np.empty(len(codes))
    for code in np.unique(codes):
        where = np.flatnonzero(codes == code)
        place[where] = (np.arange(len(where)) + 0.5) / len(where)
    return order[torch.from_numpy(np.argsort(place, kind="stable"))]


def _by_group(spec: ResolvedSplit, column: Numbers | Texts, rows: int) -> Split:
    """Assigns whole groups, each to the part that its middle row would be in."""
    counts = _counts(spec, rows)
    cuts = np.cumsum([counts[name] for name in SPLIT_PARTS[:-1]])
    _, groups = np.unique(_codes(column), return_inverse=True)
    counts_of_groups = np.bincount(groups)
    order = _shuffled(spec, len(counts_of_groups)).numpy()
    shuffled = counts_of_groups[order]
    part_of_group = np.empty(len(order), np.int64)
    part_of_group[order] = np.searchsorted(cuts, np.cumsum(shuffled) - shuffled / 2, side="left")
    part = part_of_group[groups]
    return Split(**{name: torch.from_numpy(np.flatnonzero(part == at)) for at, name in enumerate(SPLIT_PARTS)})


def _codes(column: Numbers | Texts) -> Numbers:
    """Equal numbers for equal values. A column that is also a target may have been read as numbers."""
    return column.codes if isinstance(column, Texts) else np.unique(column, return_inverse=True)[1]


def _by_column(column: Numbers | Texts, name: str) -> Split:
    assert isinstance(column, Texts)  # noqa: S101 - it was read as texts
    texts = np.array([*column.values, ""], dtype=object)[column.codes]
    unknown = np.flatnonzero(~np.isin(texts, SPLIT_PARTS))
    if len(unknown):
        row = int(unknown[0])
        found = f"{shown(name)} is {shown(texts[row])} in row {row + 1}"
        raise InvalidData(f"{found}; train, validation, calibration or test is expected")
    return Split(**{part: torch.from_numpy(np.flatnonzero(texts == part)) for part in SPLIT_PARTS})


def _check_times(column: Column) -> None:
    """Raises InvalidSpec for a row without a time or a number to split by."""
    kind, misfit, message = COLUMN_TYPES.get(column.type), column.misfits.get("datetime"), ""
    if kind is not None and not (kind.numeric or kind.dates):
        message = f"is a {column.type}; a split by time needs times or numbers"
    elif column.missing:
        where = "" if column.first_missing is None else f", first in row {column.first_missing + 1}"
        message = f"is missing in {column.missing} rows{where}; a split by time needs it in each"
    elif kind is None:
        message = f"{column.reason}; a split by time needs times or numbers"
    elif kind.texts and misfit is not None:
        message = f"holds {shown(misfit.cell)} in row {misfit.row + 1}, which is no date or time"
    if message:
        raise invalid("/split/time", f"{shown(column.name)} {message}")


def _counts(spec: SplitSpec, rows: int) -> dict[str, int]:
    named = {name: value for name in SPLIT_PARTS if (value := getattr(spec, name)) is not None}
    counted = any(value > 1 for value in named.values())
    for name, value in named.items() if counted else ():
        if value != 0 and (value <= 1 or not float(value).is_integer()):
            message = f"{value} is a fraction, and another part is a count of rows: use one or the other"
            raise invalid(f"/split/{name}", message)
    whole = rows if counted else 1
    rest = whole - sum(named.values())
    if spec.train is None:
        named["train"], rest = max(rest, 0), min(rest, 0)
    if abs(rest) > 1e-6:
        raise invalid("/split", f"the parts sum to {whole - rest:g}; they must sum to {whole} ({rows} rows)")
    cuts, total = [0], 0.0
    for name in SPLIT_PARTS:
        total += named.get(name, 0) / whole
        cuts.append(min(round(rows * total), rows))
    return {name: cuts[i + 1] - cuts[i] for i, name in enumerate(SPLIT_PARTS)}


def _check_columns(spec: SplitSpec, schema: Schema) -> None:
    given = [by for by in BY if getattr(spec, by) is not None]
    if len(given) > 1:
        raise invalid(f"/split/{given[1]}", f"a split is by one of {', '.join(BY)}, and there is {given[0]}")
    for by in given:
        name = getattr(spec, by)
        column = schema.column(name)
        if column is None:
            raise invalid(f"/split/{by}", f"there is no column {shown(name)}; {nearest(name, schema.names)}")
        if by == "stratify" and column.values is None:
            raise invalid("/split/stratify", f"{shown(name)} has too many different values to stratify by")
        if by == "time":
            _check_times(column)
        if by == "column" and (column.missing or not set(column.values or [""]) <= set(SPLIT_PARTS)):
            message = "must be train, validation, calibration or test in every row"
            raise invalid("/split/column", f"{shown(name)} {message}")

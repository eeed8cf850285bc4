"""The types of a table's columns, inferred from their texts; and which words stand for a missing value in the whole file."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.workflow.data.reading import INFINITE_WORDS, MISSING_WORDS, ReadingOptions
from service.workflow.data.schema import Misfit
from service.workflow.data.types.boolean import MEANINGS
from service.workflow.data.types.date_formats import COUNTED, DAY_OR_MONTH_FIRST, ISO
from service.workflow.data.types.evidence import DAY, Evidence
from service.workflow.data.types.kinds import KINDS
from service.workflow.data.types.names import ColumnType
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

ENOUGH = 0.95  # of the other cells must be of a type, so that a word among them counts as missing
FEW = 5  # times as many cells are numbers as are not, where those that are not may be mistakes


@dataclass(frozen=True)
class Inferred:
    """What is known of a column before it is read as its type."""

    type: ColumnType | Literal["unsupported"]
    reason: str
    plain: bool = False  # whether every cell is empty or a number as programs write it
    date_format: str | None = None
    misfits: Mapping[ColumnType, Misfit] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Of all columns: their types, the words for a missing value, and what is worth telling."""

    columns: dict[str, Inferred]
    missing: tuple[str, ...]
    notes: list[str]


def evidence_for(options: ReadingOptions, decimal: str, *, quoted: bool) -> Evidence:
    """Nothing gathered yet; `quoted` if the format tells texts from numbers."""
    words = MISSING_WORDS if options.missing is None else frozenset(options.missing) - {""}
    return Evidence(missing_words=words | INFINITE_WORDS, decimal=decimal, quoted=quoted)


def infer(gathered: Mapping[str, Evidence], options: ReadingOptions, *, day_first: bool) -> Findings:
    """The types of columns from what was gathered of their texts; `day_first` decides where dates may be read both ways.

    Raises:
        InvalidData: a type that was asked for is not that of a column; the first cell that does not fit is named.
    """
    words = _missing_words(gathered, options)
    notes: list[str] = []
    columns = {name: _column(name, evidence, options, words, day_first, notes) for name, evidence in gathered.items()}
    notes += _about_words(gathered, words)
    return Findings(columns, tuple(sorted(words)), notes)


def _missing_words(gathered: Mapping[str, Evidence], options: ReadingOptions) -> set[str]:
    """Words that stand for a missing value somewhere, and so in the whole file."""
    found = {word for evidence in gathered.values() if _mostly_typed(evidence) for word in evidence.missing}
    return found if options.missing is None else (found & INFINITE_WORDS) | set(options.missing) - {""}


def _mostly_typed(evidence: Evidence) -> bool:
    """Whether nearly all other cells, and one at least, are numbers, dates, or true or false."""
    others = evidence.others
    if not others:
        return False
    if evidence.leading_zeros and evidence.date_format is None:
        return False
    typed = others if evidence.date_format or KINDS["boolean"].fits(evidence) else evidence.numbers
    return typed >= ENOUGH * others


def _column(
    name: str, evidence: Evidence, options: ReadingOptions, words: set[str], day_first: bool, notes: list[str]
) -> Inferred:
    if evidence.nested:
        return Inferred("unsupported", "holds lists or objects")
    asked = options.types.get(name)
    _check_finite(name, evidence)
    if name in options.date_formats:
        asked = asked or "datetime"
    kept = sum(count for word, count in evidence.missing.items() if word not in words)
    date_format = options.date_formats.get(name) or _date_format(name, evidence, day_first, notes)
    kind, reason = _kind(evidence)
    if kept:
        word = next(word for word in evidence.missing if word not in words)
        kind, reason = "category", f"texts, {kept} of them words such as {shown(word)}"
    elif not evidence.others:
        kind, reason = "number", "every cell is empty"
    misfits = {} if kind == "category" and not evidence.others else _misfits(evidence)
    if asked is not None and asked != kind:
        _check_asked(name, asked, date_format, evidence, misfits)
        kind, reason = asked, "asked for"
    odd = evidence.formatted or evidence.spaced or evidence.missing or evidence.large or evidence.decimal != "."
    plain = kind == "number" and not odd
    if kind == "number" and evidence.formatted:
        notes.append(
            f"{shown(name)}: {evidence.formatted} cells are numbers with a currency, a percent sign or thousands apart"
        )
    number = misfits.get("number")
    if kind == "category" and asked is None and number is not None and 0 < number.cells * FEW < number.of:
        what = f"all but {number.cells} of its {number.of} cells are numbers (row {number.row + 1} holds {shown(number.cell)})"
        notes.append(f"{shown(name)} is taken for texts: {what}; correct them, or name the words in `missing`")
    return Inferred(
        type=kind,
        reason=reason,
        plain=plain,
        date_format=date_format if kind == "datetime" else None,
        misfits={other: misfit for other, misfit in misfits.items() if other != kind},
        examples=tuple(evidence.examples),
    )


def _kind(evidence: Evidence) -> tuple[ColumnType, str]:
    for name, kind in KINDS.items():
        if (reason := kind.fits(evidence)) is not None:
            return name, reason
    raise AssertionError("any text is a category")


def _check_finite(name: str, evidence: Evidence) -> None:
    if evidence.huge is not None and evidence.others_seen == sum(
        count for text, count in evidence.texts.items() if text == evidence.huge[1]
    ):
        row, text = evidence.huge
        raise InvalidData(f"the column {shown(name)}, row {row + 1}: {shown(text)} is beyond what a float64 can hold")


def _date_format(name: str, evidence: Evidence, day_first: bool, notes: list[str]) -> str | None:
    found = evidence.date_format
    if found is None or found in (ISO, DAY) or evidence.date_formats is None:
        return found
    other = DAY_OR_MONTH_FIRST.get(found)
    if other is None or other not in evidence.date_formats:
        return found
    chosen = other if day_first and found.startswith("%m") else found
    also = found if chosen == other else other
    first = "the month" if chosen.startswith("%m") else "the day"
    message = f"{shown(name)}: its dates can be read with the day or the month first; {first} is taken to be ({chosen})"
    notes.append(f"{message}, unless `date_formats` says {also}")
    return chosen


def _misfits(evidence: Evidence) -> dict[ColumnType, Misfit]:
    """Why the column cannot have another type: for each the first cell in the way, as far as it is known."""
    found: dict[ColumnType, Misfit] = {}
    if evidence.first_text is not None:
        row, text = evidence.first_text
        found["number"] = Misfit(row=row, cell=text[:60], cells=evidence.others_seen, of=evidence.others)
    if (odd := _no_boolean(evidence)) is not None:
        found["boolean"] = odd
    if evidence.date_format is None:
        found["datetime"] = _first(evidence.not_a_date, evidence.first_number, evidence.others)
    return {kind: misfit for kind, misfit in found.items() if misfit.cells}


def _no_boolean(evidence: Evidence) -> Misfit | None:
    """The first text that says neither true nor false; numbers are looked at when they are read."""
    for text, row in evidence.text_rows.items():
        if text.lower() not in MEANINGS:
            return Misfit(row=row, cell=text[:60], cells=evidence.others_seen, of=evidence.others)
    return None


def _first(one: tuple[int, str] | None, other: tuple[int, str] | None, cells: int) -> Misfit:
    row, text = min(each for each in (one, other, (2**62, "")) if each is not None)
    return Misfit(row=row if text else 0, cell=text[:60], cells=cells, of=cells)


def _check_asked(
    name: str, asked: ColumnType, date_format: str | None, evidence: Evidence, misfits: Mapping[ColumnType, Misfit]
) -> None:
    if asked == "category" or not evidence.others:
        return
    if asked == "datetime" and date_format is not None:
        return  # by a form that was options: the cells are checked when they are read
    if asked == "number" and evidence.numbers == evidence.others:
        return
    if asked == "boolean" and asked not in misfits:
        return  # words of several pairs, or zeros and ones: the cells are checked when they are read
    misfit = misfits.get(asked)
    where = (
        f"row {misfit.row + 1} holds {shown(misfit.cell)}" if misfit is not None else "its cells are of another type"
    )
    hint = f"; numbers count as dates with `date_formats`: {' or '.join(COUNTED)}" if asked == "datetime" else ""
    raise InvalidData(f"the column {shown(name)} cannot be of type {asked}: {where}{hint}")


def _about_words(gathered: Mapping[str, Evidence], words: set[str]) -> list[str]:
    counted: Counter[str] = Counter()
    where: Counter[str] = Counter()
    for evidence in gathered.values():
        for word, count in evidence.missing.items():
            if word in words:
                counted[word] += count
                where[word] += 1
    return [
        f"{count} {'infinite numbers' if word in INFINITE_WORDS else 'cells'} {shown(word)} in {where[word]} "
        f"column{'s' if where[word] > 1 else ''} are taken for missing values"
        for word, count in counted.most_common()
    ]

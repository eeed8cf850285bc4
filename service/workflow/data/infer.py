"""Infers the types of a table's columns from their texts, and the words for missing values in the whole file."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.workflow.data.reading import INFINITE_WORDS, MISSING_WORDS, ReadingOptions
from service.workflow.data.schema import Misfit
from service.workflow.data.types.category import Category
from service.workflow.data.types.date_formats import DAY_OR_MONTH_FIRST, ISO
from service.workflow.data.types.datetime import Datetime
from service.workflow.data.types.evidence import DAY, Evidence
from service.workflow.data.types.names import TypeName
from service.workflow.data.types.number import Number
from service.workflow.data.types.registry import COLUMN_TYPES, by_precedence
from service.workflow.data.types.text import Text
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

ENOUGH = 0.95  # the share of the other cells with one type from which a word among them counts as missing


@dataclass(frozen=True)
class Inferred:
    """The inferred type of a column, and why it was chosen."""

    type: TypeName | Literal["unsupported"]
    reason: str
    plain: bool = False  # whether every cell is empty or a plain number
    date_format: str | None = None
    misfits: Mapping[TypeName, Misfit] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """The inferred columns, the words for missing values, and notes for the owner."""

    columns: dict[str, Inferred]
    missing: tuple[str, ...]
    notes: list[str]


def evidence_for(options: ReadingOptions, decimal: str, *, quoted: bool) -> Evidence:
    """Empty evidence; `quoted` if the format distinguishes texts from numbers."""
    words = MISSING_WORDS if options.missing is None else frozenset(options.missing) - {""}
    return Evidence(missing_words=words | INFINITE_WORDS, decimal=decimal, quoted=quoted)


def infer(gathered: Mapping[str, Evidence], options: ReadingOptions, *, day_first: bool) -> Findings:
    """Infers the types of columns from the evidence of their texts. `day_first` decides about ambiguous dates.

    Raises:
        InvalidData: a column cannot have the type that the options give it; the first cell that does not fit is named.
    """
    words = _missing_words(gathered, options)
    notes: list[str] = []
    columns = {name: _column(name, evidence, options, words, day_first, notes) for name, evidence in gathered.items()}
    notes += _about_words(gathered, words)
    return Findings(columns, tuple(sorted(words)), notes)


def _missing_words(gathered: Mapping[str, Evidence], options: ReadingOptions) -> set[str]:
    """The words for missing values: a word that is one in some column is one in all columns."""
    found = {word for evidence in gathered.values() if _mostly_typed(evidence) for word in evidence.missing}
    return found if options.missing is None else (found & INFINITE_WORDS) | set(options.missing) - {""}


def _mostly_typed(evidence: Evidence) -> bool:
    """Whether nearly all other cells, at least one, are numbers, dates or booleans."""
    others = evidence.others
    if not others:
        return False
    if evidence.leading_zeros and evidence.date_format is None:
        return False
    *types, _ = by_precedence()
    typed = others if any(each.fits(evidence) for each in types if not each.texts) else evidence.numbers
    return typed >= ENOUGH * others


def _column(
    name: str, evidence: Evidence, options: ReadingOptions, words: set[str], day_first: bool, notes: list[str]
) -> Inferred:
    if evidence.nested:
        return Inferred("unsupported", "holds lists or objects")
    requested = options.types.get(name)
    _check_finite(name, evidence)
    if name in options.date_formats:
        requested = requested or Datetime.name
    kept = sum(count for word, count in evidence.missing.items() if word not in words)
    date_format = options.date_formats.get(name) or _date_format(name, evidence, day_first, notes)
    fitting = ((each.name, reason) for each in by_precedence() if (reason := each.fits(evidence)) is not None)
    kind, reason = next(fitting)  # any text is a category
    if kept and kind != Text.name:
        word = next(word for word in evidence.missing if word not in words)
        kind, reason = Category.name, f"texts, {kept} of them words such as {shown(word)}"
    elif not evidence.others:
        kind, reason = Number.name, "every cell is empty"
    misfits = _misfits(evidence)
    if requested is not None and requested != kind:
        misfit = misfits.get(requested)
        if misfit is not None and not (requested == Datetime.name and date_format is not None):
            where, hint = f"row {misfit.row + 1} holds {shown(misfit.cell)}", COLUMN_TYPES[requested].hint
            message = f"the column {shown(name)} cannot be of type {requested}: {where}{'; ' * bool(hint)}{hint}"
            raise InvalidData(message)
        kind, reason = requested, "requested"
    unusual = evidence.formatted or evidence.spaced or evidence.missing or evidence.large or evidence.decimal != "."
    of = COLUMN_TYPES[kind]
    if (note := of.note(name, evidence, asked=requested is not None)) is not None:
        notes.append(note)
    return Inferred(
        type=kind,
        reason=reason,
        plain=of.numeric and not unusual,
        date_format=date_format if kind == Datetime.name else None,
        misfits={other: misfit for other, misfit in misfits.items() if other != kind},
        examples=tuple(evidence.examples),
    )


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


def _misfits(evidence: Evidence) -> dict[TypeName, Misfit]:
    """For each type that the column cannot have, the first cell that does not fit, if it is known."""
    found = {name: each.misfit(evidence) for name, each in COLUMN_TYPES.items()}
    return {name: misfit for name, misfit in found.items() if misfit is not None and misfit.cells}


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

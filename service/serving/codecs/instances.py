"""The general parser: converts JSON rows or columns to raw features, and reports each invalid value by row and column.

Rows become columns first, and each column an array: no Python code runs for each value if all are plain.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import torch

from service.serving.codecs.input_values import (
    RowErrors,
    from_distinct,
    from_values,
    largest_number,
    missing_errors,
    number_block,
    number_block_of_texts,
)
from service.serving.codecs.input_values import from_texts as column_from_texts
from service.serving.codecs.shaped_values import bare, raw_of, read_values
from service.serving.limits import MOST_ROWS, invalid
from service.workflow.data.table import Numbers, Texts
from service.workflow.encode import raw_dtype
from service.workflow.errors import Fault, InvalidInstances, step
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Input, Signature
from service.workflow.spec_base import MOST_FAULTS, FaultBudget, listed_names, nearest

NUMBERS = frozenset((int, float))  # and not bool, which is an int
ENVELOPE = ("instances", "inputs")
Column = Sequence[Any]
Read = Numbers | Texts | torch.Tensor  # a column


def from_document(signature: Signature, document: object, missing_allowed: bool) -> Tensors:
    """Raw features from a document of the native protocol: `{"instances": […]}`, whose value may be one row as an
    object, or `{"inputs": {…}}`; or without an envelope a list of rows, or an object that is one row.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    reader = _Reader(signature, missing_allowed)
    if isinstance(document, list):
        return reader.rows(document, "")
    if isinstance(document, dict) and document and document.keys().isdisjoint(ENVELOPE):
        reader.others = ENVELOPE  # for suggestions: one of them may be misspelt
        return reader.read([document], lambda _: "")
    if isinstance(document, dict) and len(document) == 1 and isinstance(document.get("instances"), dict):
        return reader.read([document["instances"]], lambda _: "/instances")
    return from_body(signature, document, missing_allowed)


def from_body(signature: Signature, body: object, missing_allowed: bool) -> Tensors:
    """Raw features from `{"instances": […]}` or `{"inputs": {…}}`, NaN for a missing value.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    if not isinstance(body, dict):
        raise invalid('expected an object: {"instances": [[…], …]} or {"inputs": {name: […]}}')
    unknown = [name for name in body if name not in ENVELOPE]
    if unknown:
        raise invalid(f"unknown field; {nearest(unknown[0], ENVELOPE)}", step(unknown[0]))
    if ("instances" in body) == ("inputs" in body):
        raise invalid("exactly one of `instances` (rows) and `inputs` (columns) is expected")
    reader = _Reader(signature, missing_allowed)
    if "instances" in body:
        return reader.rows(body["instances"], "/instances")
    return reader.columns(body["inputs"], "/inputs")


def plain_rows(body: object, width: int, most: float) -> list[list[float]] | None:
    """The rows of `{"instances": [[…], …]}` if each is a list of `width` numbers up to `most`; None for other documents."""
    if type(body) is not dict or len(body) != 1:
        return None
    rows = body.get("instances")
    if type(rows) is not list or not 0 < len(rows) <= MOST_ROWS:
        return None
    for row in rows:
        if type(row) is not list or len(row) != width or not NUMBERS.issuperset(map(type, row)):
            return None
        if max(row) > most or min(row) < -most:
            return None
    return rows


def from_texts(
    signature: Signature, texts: Mapping[str, Sequence[Any] | Numbers | Texts], missing_allowed: bool
) -> Tensors:
    """Raw features from columns of texts by name, as in a query; an empty text is a missing value. An array holds
    valid numbers, and values that have a shape may be bytes.

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    return _Reader(signature, missing_allowed, texts=True).columns(texts, "")


def from_rows(signature: Signature, rows: Sequence[object], missing_allowed: bool, first: int) -> Tensors:
    """Raw features from rows, each as in `instances`; errors count them from `first`.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    return _Reader(signature, missing_allowed).read(rows, lambda row: f"/{first + row}")


def from_columns(
    signature: Signature, columns: Mapping[str, Column | Numbers | Texts], missing_allowed: bool
) -> Tensors:
    """Raw features from columns of one length by name; an array holds numbers, NaN for missing.

    Raises:
        InvalidInstances: what is wrong, by column and row, as in `inputs`.
    """
    return _Reader(signature, missing_allowed).columns(columns, "/inputs")


def check_names(signature: Signature, given: Mapping[str, Any]) -> None:
    """Checks that every input is named, and nothing else but the targets.

    Raises:
        InvalidInstances: a name is absent or unknown, with suggestions.
    """
    _Reader(signature, missing_allowed=True).check_names(given, "")


@dataclass
class _Reader:
    """Reads rows or columns, and reports at most `MOST_FAULTS` faults."""

    signature: Signature
    missing_allowed: bool
    texts: bool = False  # whether values come as texts
    others: Sequence[str] = ()  # names to suggest, beside those of the inputs
    budget: FaultBudget = field(default_factory=FaultBudget, init=False)

    def __post_init__(self) -> None:
        self.inputs = self.signature.inputs
        self.names = [each.name for each in self.inputs]
        self.known = {*self.names, *(each.name for each in self.signature.outputs), *(self.signature.ignored or ())}
        self.most = largest_number(self.inputs)
        self.plain = all(each.type == "number" and not each.how.missing_numbers for each in self.inputs)
        self.alone = self.inputs[0] if self.signature.shaped and len(self.inputs) == 1 else None

    def rows(self, instances: object, at: str) -> Tensors:
        """From rows: lists in the order of the signature, objects by name, or single values for one input."""
        if not isinstance(instances, list) or not instances:
            raise invalid("expected a list of at least one row", at)
        _check_count(len(instances), at)
        return self.read(instances, lambda row: f"{at}/{row}")

    def read(self, rows: Sequence[Any], at: Callable[[int], str]) -> Tensors:
        """From rows; `at` gives the JSON pointer of each."""
        if self.alone is not None:
            return self._values(rows, at, self.alone)
        flat = self._flat(rows)
        if flat is not None:
            good, faults = list(range(len(rows))), list[tuple[int, int, Fault]]()
        else:
            flat, good, faults = self._row_by_row(rows, at)
        width = len(self.names)
        numbers = number_block("number", [flat], self.most) if self.plain and not faults else None
        if numbers is not None and (self.missing_allowed or not np.isnan(numbers).any()):
            return torch.from_numpy(numbers.reshape(-1, width).astype(raw_dtype(self.inputs)))
        columns = [flat[k::width] for k in range(width)] if good else []
        arrays, wrong = self._arrays(columns)
        for k, each in enumerate(wrong):
            for place, message in each.items():
                row = good[place]
                faults.append((row, k, Fault(at(row) + _last_step(rows[row], k, self.names[k]), message)))
        _raise(faults)
        return self._tensor(arrays)

    def _values(self, rows: Sequence[Any], at: Callable[[int], str], of: Input) -> Tensors:
        """From rows of the one input, whose values have a shape: each row may be the value itself."""
        values, wrong = list[Any](), dict[int, list[Fault]]()
        for place, row in enumerate(rows):
            if bare(of, row):
                values.append(row)
            elif (flat := self._flat([row])) is not None:
                values += flat
            elif len(wrong) < MOST_FAULTS:
                wrong[place] = self._faults_of_row(row, at(place))
        if wrong:
            raise InvalidInstances(*[each for faults in wrong.values() for each in faults][:MOST_FAULTS])
        tensor, errors = read_values(of, values)
        if errors:
            steps = {row: "" if bare(of, rows[row]) else _last_step(rows[row], 0, of.name) for row in errors}
            raise InvalidInstances(*(Fault(at(row) + steps[row], errors[row]) for row in sorted(errors)))
        return raw_of(self.signature, {of.name: tensor})

    def _flat(self, rows: Sequence[Any]) -> list[Any] | None:
        """All values, row by row in the order of the inputs; None if any row has the wrong form."""
        kinds, width = set(map(type, rows)), len(self.names)
        if kinds == {list}:
            return list(chain.from_iterable(rows)) if set(map(len, rows)) == {width} else None
        if kinds != {dict}:
            return list(rows) if width == 1 and kinds.isdisjoint((list, dict)) else None
        if set(map(len, rows)) != {width} and not self.known.issuperset(chain.from_iterable(rows)):
            return None
        try:
            values: Iterable[Any] = map(itemgetter(*self.names), rows)
            return list(values if width == 1 else chain.from_iterable(values))
        except KeyError:
            return None

    def _row_by_row(
        self, rows: Sequence[Any], at: Callable[[int], str]
    ) -> tuple[list[Any], list[int], list[tuple[int, int, Fault]]]:
        """The values of the rows with the right form, the positions of these rows, and the faults of the others."""
        flat: list[Any] = []
        good: list[int] = []
        faults: list[tuple[int, int, Fault]] = []
        for place, row in enumerate(rows):
            if (values := self._flat([row])) is not None:
                flat += values
                good.append(place)
                continue
            faults += [(place, -1, fault) for fault in self._faults_of_row(row, at(place))]
            if len(faults) >= MOST_FAULTS:
                break
        return flat, good, faults

    def _faults_of_row(self, row: object, at: str) -> list[Fault]:
        """The faults of a row's form."""
        if isinstance(row, dict):
            return self._faults_of_names(row, at)
        if isinstance(row, list):
            known = listed_names(self.names)
            return [Fault(at, f"has {len(row)} values; the model takes {len(self.names)}: {known}")]
        return [Fault(at, f"expected a list of {len(self.names)} values or an object with the inputs' names")]

    def columns(self, columns: object, at: str) -> Tensors:
        """From columns by name, all of one length; a single value is a column of one."""
        if not isinstance(columns, Mapping):
            raise invalid("expected an object of columns: {name: [values]}", at)
        self.check_names(columns, at)
        given = (columns[name] for name in self.names)
        lists = [value if isinstance(value, list | np.ndarray | Texts) else [value] for value in given]
        count = len(lists[0])
        for name, values in zip(self.names, lists, strict=True):
            if len(values) != count:
                message = (
                    f"has {len(values)} values and {self.names[0]!r} has {count}; every column needs one for each row"
                )
                raise invalid(message, f"{at}{step(name)}")
        if not count:
            raise invalid("expected at least one row", at)
        _check_count(count, "/instances")
        arrays, wrong = self._arrays(lists)
        _raise(
            [
                (row, k, Fault(f"{at}{step(self.names[k])}/{row}", message))
                for k, each in enumerate(wrong)
                for row, message in each.items()
            ]
        )
        return self._tensor(arrays)

    def check_names(self, given: Mapping[str, Any], at: str) -> None:
        """As the function of this name; `at` is the JSON pointer of the names."""
        if faults := self._faults_of_names(given, at):
            raise InvalidInstances(*faults)

    def _faults_of_names(self, given: Mapping[str, Any], at: str) -> list[Fault]:
        faults: list[Fault] = []
        near = [*self.names, *self.others]
        for name in given:
            if name not in self.known:
                faults.append(Fault(f"{at}{step(name)}", f"is no input of this model{self.budget.nearest(name, near)}"))
                if len(faults) == MOST_FAULTS:
                    return faults
        absent = (name for name in self.names if name not in given)
        message = "is absent; name every input, with null for a missing value"
        faults += [Fault(f"{at}{step(name)}", message) for name in absent]
        return faults[:MOST_FAULTS]

    def _arrays(self, columns: Sequence[Column | Numbers | Texts]) -> tuple[list[Read], list[RowErrors]]:
        """Each column as an array, or as a tensor if its values have a shape, and its errors. Plain numbers are converted
        together."""
        arrays: dict[int, Read] = {}
        wrong: list[RowErrors] = [{} for _ in columns]
        lists: dict[int, Column] = {}
        read = column_from_texts if self.texts else from_values
        for k, values in enumerate(columns):
            if self.inputs[k].shape is not None:
                arrays[k], wrong[k] = read_values(self.inputs[k], values)
            elif isinstance(values, Texts):
                arrays[k], wrong[k] = self._checked(*from_distinct(self.inputs[k], values, self.most, read))
            elif not isinstance(values, np.ndarray):
                lists[k] = values
            elif self.inputs[k].type == "number" and self._is_plain(values) and not self.inputs[k].how.missing_numbers:
                # Through float64, as everywhere: a large integer may round to another float32 directly.
                arrays[k] = values if values.dtype.kind == "f" else values.astype(np.float64)
            else:
                lists[k] = [None if each != each else each for each in values.tolist()]
        for kind in ("number",) if self.texts else ("number", "boolean"):
            places = [k for k in lists if self.inputs[k].type == kind and self._is_usual(self.inputs[k])]
            if not places:
                continue
            given = [lists[k] for k in places]
            found = number_block_of_texts(given, self.most) if self.texts else number_block(kind, given, self.most)
            if found is not None and (self.missing_allowed or not np.isnan(found).any()):
                arrays |= zip(places, found, strict=True)
        for k in lists.keys() - arrays.keys():
            arrays[k], wrong[k] = self._checked(*read(self.inputs[k], lists[k], self.most))
        return [arrays[k] for k in range(len(columns))], wrong

    def _checked(self, column: Numbers | Texts, wrong: RowErrors) -> tuple[Numbers | Texts, RowErrors]:
        """The column with its errors, those for missing values included."""
        return column, wrong if self.missing_allowed else missing_errors(column, wrong)

    def _is_usual(self, of: Input) -> bool:
        """Whether this input has the common notation of numbers."""
        return not of.how.missing_numbers and (not self.texts or of.decimal is None)

    def _is_plain(self, numbers: Numbers) -> bool:
        """Whether an array holds only valid numbers."""
        if numbers.dtype == np.float64 and len(numbers) and float(np.abs(numbers).max()) <= self.most:  # false for NaN
            return True
        if numbers.dtype.kind not in "fiu" or (np.abs(numbers.astype(np.float64)) > self.most).any():
            return False
        return self.missing_allowed or not np.isnan(numbers).any()

    def _tensor(self, arrays: Sequence[Read]) -> Tensors:
        return raw_of(self.signature, dict(zip(self.names, arrays, strict=True)))


def _last_step(row: object, position: int, name: str) -> str:
    """The last step of the JSON pointer of an input's value in its row."""
    return step(name) if isinstance(row, dict) else f"/{position}" if isinstance(row, list) else ""


def _raise(faults: list[tuple[int, int, Fault]]) -> None:
    """Raises the first faults, by row and column, if there are any."""
    if faults:
        first = sorted(faults, key=itemgetter(0, 1))[:MOST_FAULTS]
        raise InvalidInstances(*(fault for _, _, fault in first))


def _check_count(count: int, at: str) -> None:
    if count > MOST_ROWS:
        raise invalid(f"{count} rows are too many for one request; at most {MOST_ROWS}", at)

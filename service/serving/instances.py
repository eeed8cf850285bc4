"""From what a client sends to the tensor that a model takes: every value checked, every fault with row and column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from service.workflow.data.values import FLOAT32_MAX, MISSING, convert, from_text, texts
from service.workflow.encode import raw_features
from service.workflow.errors import Fault, InvalidInstances, step
from service.workflow.signature import Signature
from service.workflow.specification import nearest

MOST_ROWS = 1_000_000
MOST_FAULTS = 20
NUMBERS = frozenset((int, float))  # and not bool, which is an int


def from_body(signature: Signature, body: object, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots] from `{"instances": […]}` or `{"inputs": {…}}`, NaN for a missing value.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    if not isinstance(body, dict):
        raise _invalid("", 'expected an object: {"instances": [[…], …]} or {"inputs": {name: […]}}')
    unknown = [name for name in body if name not in ("instances", "inputs")]
    if unknown:
        raise _invalid(step(unknown[0]), f"unknown field; {nearest(unknown[0], ['instances', 'inputs'])}")
    if ("instances" in body) == ("inputs" in body):
        raise _invalid("", "exactly one of `instances` (rows) and `inputs` (columns) is expected")
    reader = _Reader(signature, missing_allowed)
    return reader.rows(body["instances"]) if "instances" in body else reader.columns(body["inputs"], "/inputs")


def plain_rows(body: object, width: int) -> list[list[float]] | None:
    """The rows of `{"instances": [[…], …]}` with so many numbers in each, good as they are; None for whatever needs a
    closer look."""
    if type(body) is not dict or len(body) != 1:
        return None
    rows = body.get("instances")
    if type(rows) is not list or not 0 < len(rows) <= MOST_ROWS:
        return None
    for row in rows:
        if type(row) is not list or len(row) != width or not NUMBERS.issuperset(map(type, row)):
            return None
        if max(row) > FLOAT32_MAX or min(row) < -FLOAT32_MAX:
            return None
    return rows


def from_texts(signature: Signature, texts: Mapping[str, Sequence[str]], missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots] from text values by name, as in a query; an empty text is a missing value.

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    return _Reader(signature, missing_allowed, texts=True).columns(texts, "")


def from_rows(signature: Signature, rows: Sequence[object], missing_allowed: bool, first: int) -> torch.Tensor:
    """Raw features [n, slots] from rows, each as in `instances`; the first of them is that with this number.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    reader = _Reader(signature, missing_allowed)
    return reader.read(rows, "", first)


def check_names(signature: Signature, given: Mapping[str, Any]) -> None:
    """Every input is named, and nothing else but the targets.

    Raises:
        InvalidInstances: which name is absent or unknown; the nearest right ones are named.
    """
    reader = _Reader(signature, missing_allowed=True)
    reader.check_names(reader.names, given, "")
    if reader.faults:
        raise InvalidInstances(*reader.faults[:MOST_FAULTS])


@dataclass
class _Reader:
    """Reads values and gathers what is wrong with them, at most about `MOST_FAULTS` of it."""

    signature: Signature
    missing_allowed: bool
    texts: bool = False  # whether values come as texts
    faults: list[Fault] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.signature.inputs]

    def rows(self, instances: object) -> torch.Tensor:
        """From rows: lists in the order of the signature, objects by name, or bare numbers for one input."""
        if not isinstance(instances, list) or not instances:
            raise _invalid("/instances", "expected a list of at least one row")
        _check_count(len(instances))
        return self.read(instances, "/instances", 0)

    def read(self, rows: Sequence[object], at: str, first: int) -> torch.Tensor:
        """From rows whose number starts at `first`."""
        names = self.names
        return self._tensor([self._row(names, each, f"{at}/{i}") for i, each in enumerate(rows, start=first)])

    def columns(self, columns: object, at: str) -> torch.Tensor:
        """From columns by name, all of one length; what is no list is a column of one."""
        if not isinstance(columns, dict):
            raise _invalid(at, "expected an object of columns: {name: [values]}")
        names = self.names
        self.check_names(names, columns, at)
        self._raise()
        lists = [value if isinstance(value, list) else [value] for value in (columns[name] for name in names)]
        count = len(lists[0])
        for name, values in zip(names, lists, strict=True):
            if len(values) != count:
                message = f"has {len(values)} values and {names[0]!r} has {count}; every column needs one for each row"
                raise _invalid(f"{at}{step(name)}", message)
        if not count:
            raise _invalid(at, "expected at least one row")
        _check_count(count)
        places = [f"{at}{step(name)}" for name in names]
        read = [
            [self._value(k, values[i], place, i) for k, (values, place) in enumerate(zip(lists, places, strict=True))]
            for i in range(count)
        ]
        return self._tensor(read)

    def _row(self, names: list[str], instance: object, at: str) -> list[Any]:
        if len(self.faults) >= MOST_FAULTS:
            return []
        if isinstance(instance, dict):
            if instance.keys() != set(names):
                before = len(self.faults)
                self.check_names(names, instance, at)
                if len(self.faults) > before:
                    return []
            return [self._value(k, instance[name], at, name) for k, name in enumerate(names)]
        if isinstance(instance, list):
            if len(instance) == len(names):
                return [self._value(i, value, at, i) for i, value in enumerate(instance)]
            known = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
            self.faults.append(Fault(at, f"has {len(instance)} values; the model takes {len(names)}: {known}"))
            return []
        if len(names) == 1:
            return [self._value(0, instance, at, None)]
        self.faults.append(Fault(at, f"expected a list of {len(names)} values or an object with the inputs' names"))
        return []

    def check_names(self, names: list[str], given: Mapping[str, Any], at: str) -> None:
        """Gathers what is wrong with the names of columns."""
        known = {*names, *(each.name for each in self.signature.outputs)}
        for name in given:
            if name not in known:
                self.faults.append(Fault(f"{at}{step(name)}", f"is no input of this model; {nearest(name, names)}"))
        for name in names:
            if name not in given:
                message = "is absent; name every input, with null for a missing value"
                self.faults.append(Fault(f"{at}{step(name)}", message))

    def _value(self, position: int, value: Any, at: str, last: int | str | None) -> Any:
        """The value of the input at this position as its column keeps it; `at` and the `last` step point at it."""
        kind = self.signature.inputs[position].type
        try:
            if self.texts:
                value = from_text(value, kind)
            if value is not None:
                return convert(value, kind)
            if not self.missing_allowed:
                raise ValueError("is missing, and this model was trained without missing values")
            return None if kind == "category" else MISSING
        except ValueError as error:
            if len(self.faults) < MOST_FAULTS:
                pointer = at if last is None else f"{at}{step(last)}"
                self.faults.append(Fault(pointer, str(error)))
            return MISSING

    def _tensor(self, rows: list[list[Any]]) -> torch.Tensor:
        self._raise()
        inputs = self.signature.inputs
        if all(each.type in ("number", "boolean") for each in inputs):
            return torch.tensor(rows, dtype=torch.float32)
        columns = {
            each.name: texts(values) if each.type == "category" else np.array(values, dtype=np.float64)
            for each, values in zip(inputs, zip(*rows, strict=True), strict=True)
        }
        return raw_features(inputs, columns)

    def _raise(self) -> None:
        if self.faults:
            raise InvalidInstances(*self.faults[:MOST_FAULTS])


def _check_count(count: int) -> None:
    if count > MOST_ROWS:
        raise _invalid("/instances", f"{count} rows are too many for one request; at most {MOST_ROWS}")


def _invalid(at: str, message: str) -> InvalidInstances:
    return InvalidInstances(Fault(at, message))

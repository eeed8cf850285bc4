"""From what a client sends to the tensor that a model takes: every value checked, every fault with row and column."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from service.workflow.errors import Fault, InvalidInstances
from service.workflow.signature import Signature
from service.workflow.specification import nearest, shown

MOST_ROWS = 1_000_000
MOST_FAULTS = 20

Rows = list[list[float]]
MISSING = float("nan")


def from_body(signature: Signature, body: object) -> torch.Tensor:
    """Raw features [n, d] from `{"instances": […]}` or `{"inputs": {…}}`.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    if not isinstance(body, dict):
        raise _invalid("", 'expected an object: {"instances": [[…], …]} or {"inputs": {name: […]}}')
    unknown = [name for name in body if name not in ("instances", "inputs")]
    if unknown:
        raise _invalid(f"/{unknown[0]}", f"unknown field; {nearest(unknown[0], ['instances', 'inputs'])}")
    if ("instances" in body) == ("inputs" in body):
        raise _invalid("", "exactly one of `instances` (rows) and `inputs` (columns) is expected")
    if "instances" in body:
        return from_instances(signature, body["instances"])
    return from_columns(signature, body["inputs"], "/inputs")


def from_instances(signature: Signature, instances: object) -> torch.Tensor:
    """Raw features from rows: lists in the order of the signature, objects by name, or bare numbers for one input."""
    if not isinstance(instances, list) or not instances:
        raise _invalid("/instances", "expected a list of at least one row")
    _check_count(len(instances))
    faults: list[Fault] = []
    rows = [_row(signature, each, f"/instances/{i}", faults) for i, each in enumerate(instances)]
    return _tensor(rows, faults)


def from_columns(signature: Signature, columns: object, at: str) -> torch.Tensor:
    """Raw features from columns by name, all of one length."""
    if not isinstance(columns, dict):
        raise _invalid(at, "expected an object of columns: {name: [values]}")
    faults: list[Fault] = []
    _check_names(signature, columns, at, faults)
    if faults:
        raise InvalidInstances(*faults)
    lists = {name: value if isinstance(value, list) else [value] for name, value in columns.items()}
    names = [each.name for each in signature.inputs]
    count = len(lists[names[0]])
    for name in names:
        if len(lists[name]) != count:
            message = f"has {len(lists[name])} values and {names[0]!r} has {count}; every column needs one for each row"
            raise _invalid(f"{at}/{_escaped(name)}", message)
    if not count:
        raise _invalid(at, "expected at least one row")
    _check_count(count)
    rows = [[_number(lists[name][i], f"{at}/{_escaped(name)}/{i}", faults) for name in names] for i in range(count)]
    return _tensor(rows, faults)


def from_texts(signature: Signature, texts: Mapping[str, Sequence[str]], at: str) -> torch.Tensor:
    """Raw features from text values by name, as in a query or a CSV file; an empty text is a missing value."""
    faults: list[Fault] = []
    columns = {name: [_parsed(text, f"{at}/{_escaped(name)}", faults) for text in each] for name, each in texts.items()}
    if faults:
        raise InvalidInstances(*faults[:MOST_FAULTS])
    return from_columns(signature, columns, at)


def check_missing(signature: Signature, raw: torch.Tensor, fills_missing: bool) -> None:
    """Missing values only go to a model that has learned what to do with them."""
    if fills_missing or not bool(raw.isnan().any()):
        return
    row, column = raw.isnan().nonzero()[0].tolist()
    name = signature.inputs[column].name
    raise _invalid(
        f"/instances/{row}/{_escaped(name)}", "is missing, and this model was trained without missing values"
    )


def _row(signature: Signature, instance: object, at: str, faults: list[Fault]) -> list[float]:
    if len(faults) >= MOST_FAULTS:
        return []
    inputs = signature.inputs
    if isinstance(instance, dict):
        before = len(faults)
        _check_names(signature, instance, at, faults)
        if len(faults) > before:
            return []
        return [_number(instance[each.name], f"{at}/{_escaped(each.name)}", faults) for each in inputs]
    if not isinstance(instance, list):
        if len(inputs) == 1:
            return [_number(instance, at, faults)]
        faults.append(Fault(at, f"expected a list of {len(inputs)} values or an object with the inputs' names"))
        return []
    if len(instance) != len(inputs):
        names = ", ".join(each.name for each in inputs[:20])
        faults.append(Fault(at, f"has {len(instance)} values; the model takes {len(inputs)}: {names}"))
        return []
    return [_number(value, f"{at}/{i}", faults) for i, value in enumerate(instance)]


def _check_names(signature: Signature, named: Mapping[str, Any], at: str, faults: list[Fault]) -> None:
    known = [each.name for each in signature.inputs]
    targets = {each.name for each in signature.outputs}
    for name in named:
        if name not in known and name not in targets:
            faults.append(Fault(f"{at}/{_escaped(name)}", f"is no input of this model; {nearest(name, known)}"))
    for name in known:
        if name not in named:
            faults.append(Fault(f"{at}/{_escaped(name)}", "is absent; name every input, with null for a missing value"))


def _number(value: object, at: str, faults: list[Fault]) -> float:
    if value is None:
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.append(Fault(at, f"expected a number, not {shown(value)}"))
        return MISSING
    if not -3.4028235e38 <= value <= 3.4028235e38:
        faults.append(Fault(at, "is beyond what a float32 can hold"))
        return MISSING
    return float(value)


def _parsed(text: str, at: str, faults: list[Fault]) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        faults.append(Fault(at, f"expected a number, not {shown(text)}"))
        return None
    if value != value or value in (float("inf"), float("-inf")):
        faults.append(Fault(at, "expected a finite number, or nothing for a missing value"))
        return None
    return value


def _tensor(rows: Rows, faults: list[Fault]) -> torch.Tensor:
    if faults:
        raise InvalidInstances(*faults[:MOST_FAULTS])
    return torch.tensor(rows, dtype=torch.float32)


def _check_count(count: int) -> None:
    if count > MOST_ROWS:
        raise _invalid("/instances", f"{count} rows are too many for one request; at most {MOST_ROWS}")


def _invalid(at: str, message: str) -> InvalidInstances:
    return InvalidInstances(Fault(at, message))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")

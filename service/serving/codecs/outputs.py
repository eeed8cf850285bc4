"""A model's inputs and outputs as named tensors, for the protocols of other servers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.serving.codecs.input_values import are_numeric
from service.serving.codecs.shaped_values import kind_of
from service.serving.codecs.tensors import BOOL, BYTES, Values
from service.serving.forward import Array
from service.workflow.data.types.category import as_text
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.decision import decide_array
from service.workflow.encode import raw_dtype
from service.workflow.signature import Input, Signature
from service.workflow.tasks import LABEL_THRESHOLD, Task

MATRIX = "input-0"  # the name of the tensor of a model whose inputs are all numbers or booleans
FLOATS = {"float32": "FP32", "float64": "FP64"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The name, datatype and shape of a tensor: [rows], [rows, columns], or [rows, *of_row] where values have a shape."""

    name: str
    datatype: str
    columns: int | None
    of_row: tuple[int, ...] = ()

    def shape(self, rows: int = -1) -> list[int]:
        """The shape with this number of rows, -1 for any."""
        return [rows, *self.of_row] if self.columns is None else [rows, self.columns]


def inputs(signature: Signature) -> list[TensorSpec]:
    """The inputs in a model's metadata: one tensor if all are numbers or booleans, else one tensor for each."""
    if are_numeric(signature.inputs):
        return [TensorSpec(MATRIX, FLOATS[raw_dtype(signature.inputs).name], len(signature.inputs))]
    return [input_of(each) for each in signature.inputs]


def input_of(of: Input) -> TensorSpec:
    """The tensor of one input. Images and other files are described as bytes, in which form most clients have them."""
    if of.shape is None:
        return TensorSpec(of.name, datatype_of(of), 1)
    kind = kind_of(of)
    if kind.files or kind.ids(of) is not None:
        return TensorSpec(of.name, BYTES, None)
    return TensorSpec(of.name, "UINT8" if of.dtype == "uint8" else "FP32", None, tuple(of.shape))


def outputs(signature: Signature) -> list[TensorSpec]:
    """The outputs in a model's metadata: a number for each target by its name; for classes `label` and `probabilities`; for
    several labels `labels` and `probabilities`."""
    if signature.classifies:
        return [
            TensorSpec("label", datatype_of_classes(signature.classes), None),
            TensorSpec("probabilities", "FP32", len(signature.classes)),
        ]
    if signature.task is Task.MULTILABEL:
        count = len(signature.outputs)
        return [TensorSpec("labels", BOOL, count), TensorSpec("probabilities", "FP32", count)]
    return [TensorSpec(each.name, FLOATS[each.dtype or "float32"], None) for each in signature.outputs]


def datatype_of(of: Input) -> str:
    """The datatype of an input."""
    return COLUMN_TYPES[of.type].datatype or FLOATS[of.dtype or "float32"]


def datatype_of_classes(classes: Sequence[Scalar]) -> str:
    """The datatype of the classes in the data set."""
    types = {type(each) for each in classes}
    if types == {bool}:
        return BOOL
    if types == {int} and all(-(2**63) <= each < 2**63 for each in classes if isinstance(each, int)):
        return "INT64"
    return "FP64" if types and types <= {int, float} else BYTES


def values(signature: Signature, answers: Array) -> list[Values]:
    """The values of each output for a model's answers [rows, outputs], flattened; an unknown label is None."""
    if signature.classifies:
        classes: Sequence[Any] = signature.classes
        if datatype_of_classes(signature.classes) == BYTES:
            classes = [as_text(each) for each in classes]
        known: Array = np.asarray(np.isfinite(answers).all(axis=1))
        best: Array = decide_array(signature, answers)
        labels = [classes[at] if sure else None for at, sure in zip(best.tolist(), known.tolist(), strict=True)]
        return [labels, answers.reshape(-1)]
    if signature.task is Task.MULTILABEL:
        return [(answers > LABEL_THRESHOLD).reshape(-1), answers.reshape(-1)]
    # In the dtype of each: the answers are all float64 if one of them is.
    return [np.ascontiguousarray(answers[:, at], of.dtype or "float32") for at, of in enumerate(signature.outputs)]


def rows(signature: Signature, answers: Array) -> Values:
    """The outputs row by row: a value if there is one output, else an object by name."""
    named = by_name(signature, answers)
    columns: list[Any] = list(named.values())
    if len(columns) == 1:
        only: Values = columns[0]
        return only
    together: Iterator[tuple[Any, ...]] = zip(*columns, strict=True)
    return [dict(zip(named, row, strict=True)) for row in together]


def by_name(signature: Signature, answers: Array) -> dict[str, Values]:
    """The outputs by name, each in its shape; an unknown label is None."""
    found: dict[str, Values] = {}
    for each, flat in zip(outputs(signature), values(signature, answers), strict=True):
        found[each.name] = flat if each.columns is None else np.asarray(flat).reshape(-1, each.columns)
    return found

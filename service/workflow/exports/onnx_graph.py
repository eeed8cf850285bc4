"""The parts of an ONNX graph around a model's own: from named columns of their types to what `OfColumns` or `OfTensors` takes,
and from probabilities to labels.

Inputs, each [rows], by the name of the column: a string for a category ("" if missing), a bool (a float if it may be missing,
NaN if it is), seconds since 1970 as double for a date, a float or double for a number (NaN if missing). An input whose values
have a shape is [rows, *shape]: uint8 for pixels, int64 for the ids of a text, float for other numbers. Outputs: of a
regression each target by its name [rows]; `label` string [rows] and `probabilities` [rows, classes] of classes; `labels`
string [rows, labels] and `probabilities` [rows, labels] of several labels, where `labels` has the label's name, or "" if it is
not predicted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

import orjson

from service import __version__
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.encode import table_inputs
from service.workflow.signature import Input, Signature
from service.workflow.tasks import LABEL_THRESHOLD, Task

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

OPSET_ML = 4  # of the domain ai.onnx.ml
ROWS = "rows"  # the name of the size of a batch


class Column(Enum):
    """The type of an input."""

    STRING = "string"
    BOOL = "bool"
    FLOAT = "float"
    DOUBLE = "double"
    UINT8 = "uint8"
    INT64 = "int64"

    @classmethod
    def of(cls, each: Input, number: str, may_be_missing: bool) -> "Column":
        """The type for an input, where `number` is the type of the model's raw features."""
        kind = COLUMN_TYPES[each.type]
        if isinstance(kind, ShapedType):
            return cls.INT64 if kind.ids(each) is not None else cls.UINT8 if each.dtype == "uint8" else cls.FLOAT
        if kind.categorical:
            return cls.STRING
        if kind.datatype == "BOOL" and not may_be_missing:
            return cls.BOOL
        return cls.DOUBLE if kind.float64 or number == "float64" else cls.FLOAT


@dataclass(frozen=True)
class Names:
    """The names of the outputs. A `_` is appended where an input has the same name."""

    numbers: list[str]  # of a regression
    labels: str | None = None
    probabilities: str | None = None

    @classmethod
    def of(cls, signature: Signature) -> Self:
        """Those of a signature."""
        taken = {each.name for each in signature.inputs}

        def free(name: str) -> str:
            while name in taken:
                name += "_"
            taken.add(name)
            return name

        if signature.classifies:
            return cls([], free("label"), free("probabilities"))
        if signature.task is Task.MULTILABEL:
            return cls([], free("labels"), free("probabilities"))
        return cls([free(each.name) for each in signature.outputs])


def with_named_columns(model: "ModelProto", signature: Signature, columns: Mapping[str, Column]) -> "ModelProto":
    """The model of `OfColumns` or `OfTensors`, which has one output, with the graph's parts around it. It is changed in place.

    Args:
        model: as torch has made it.
        signature: of the Modelwright model.
        columns: the type of each input, in the order of the signature.
    """
    import onnx

    graph, names = model.graph, Names.of(signature)
    inner = _unused_prefix([*columns, *names.numbers, names.labels or "", names.probabilities or ""])
    onnx.compose.add_prefix(model, inner, inplace=True)
    given, (answers,) = [each.name for each in graph.input], [each.name for each in graph.output]
    double = graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    parts = _Parts(graph, inner)
    head = parts.head(signature, columns, given)
    tail = parts.tail(signature, names, answers, onnx.TensorProto.DOUBLE if double else onnx.TensorProto.FLOAT)
    nodes = [*head, *graph.node, *tail]
    for node in nodes:
        node.ClearField("metadata_props")  # torch's hold the paths of source files
        node.ClearField("doc_string")
    del graph.node[:], graph.value_info[:], graph.metadata_props[:]
    graph.node.extend(nodes)
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", OPSET_ML))
    model.producer_name, model.producer_version = "Modelwright", __version__
    model.doc_string = str(__doc__).partition("\n\n")[2]
    del model.metadata_props[:]
    documents = {"signature": signature.model_dump(mode="json"), "classes": signature.labels}
    onnx.helper.set_model_props(model, {name: orjson.dumps(each).decode() for name, each in documents.items()})
    onnx.checker.check_model(model)
    return model


def _unused_prefix(names: list[str]) -> str:
    """A prefix that no name begins with."""
    prefix = "_"
    while any(name.startswith(prefix) for name in names):
        prefix += "_"
    return prefix


class _Parts:
    """Makes nodes of a graph, whose values begin with `inner`, and replaces its inputs and outputs."""

    def __init__(self, graph: "GraphProto", inner: str) -> None:
        self._graph = graph
        self._inner = inner
        self._count = 0

    def head(self, signature: Signature, columns: Mapping[str, Column], given: list[str]) -> list["NodeProto"]:
        """From the named columns to what the model is given, in its order: a matrix of double [rows, inputs] of the columns of a
        table, if there are any, and each other input as it is."""
        from onnx import TensorProto, helper

        del self._graph.input[:]
        nodes: list[NodeProto] = []
        axis = self._constant("axis", [1]) if table_inputs(signature.inputs) else ""
        parts, others = list[str](), list[str]()
        for each, (name, column) in zip(signature.inputs, columns.items(), strict=True):
            dtype = getattr(TensorProto, column.name)
            self._graph.input.append(helper.make_tensor_value_info(name, dtype, [ROWS, *(each.shape or ())]))
            if COLUMN_TYPES[each.type].shaped:
                others.append(name)
                continue
            if column is Column.STRING:
                nodes.append(self._positions(each))
                name = nodes[-1].output[0]
            nodes.append(helper.make_node("Cast", [name], [self._value()], to=TensorProto.DOUBLE))
            nodes.append(helper.make_node("Unsqueeze", [nodes[-1].output[0], axis], [self._value()]))
            parts.append(nodes[-1].output[0])
        if parts:
            nodes.append(helper.make_node("Concat", parts, [given[0]], axis=1))
        own = given[len(given) - len(others) :]
        return [*nodes, *(helper.make_node("Identity", [name], [to]) for name, to in zip(others, own, strict=True))]

    def tail(self, signature: Signature, names: Names, answers: str, dtype: int) -> list["NodeProto"]:
        """From the answers [rows, outputs] to the outputs."""
        from onnx import TensorProto, helper

        del self._graph.output[:]
        if names.labels is None or names.probabilities is None:
            nodes = []
            for at, name in enumerate(names.numbers):
                place = self._constant(f"place{at}", at)
                nodes.append(helper.make_node("Gather", [answers, place], [name], axis=1))
                self._graph.output.append(helper.make_tensor_value_info(name, dtype, [ROWS]))
            return nodes
        classes = signature.labels
        multilabel = signature.task is Task.MULTILABEL
        shape: list[str | int] = [ROWS, len(classes)] if multilabel else [ROWS]
        self._graph.output.append(helper.make_tensor_value_info(names.labels, TensorProto.STRING, shape))
        self._graph.output.append(helper.make_tensor_value_info(names.probabilities, dtype, [ROWS, len(classes)]))
        nodes = self._predicted(answers, len(classes)) if multilabel else self._best(answers, signature.threshold)
        texts = ["", *classes] if multilabel else classes
        label = {"keys_int64s": list(range(len(texts))), "values_strings": texts, "default_string": ""}
        nodes.append(self._ml("LabelEncoder", nodes[-1].output[0], names.labels, **label))
        return [*nodes, helper.make_node("Identity", [answers], [names.probabilities])]

    def _best(self, answers: str, threshold: float | None) -> list["NodeProto"]:
        """The position of the largest probability, or whether the second one is above the threshold [rows]."""
        from onnx import TensorProto, helper

        if threshold is not None:
            place, least = self._constant("place", 1), self._constant("threshold", threshold, TensorProto.FLOAT)
            second = helper.make_node("Gather", [answers, place], [self._value()], axis=1)
            above = helper.make_node("Greater", [second.output[0], least], [self._value()])
            return [second, above, helper.make_node("Cast", [above.output[0]], [self._value()], to=TensorProto.INT64)]
        return [helper.make_node("ArgMax", [answers], [self._value()], axis=1, keepdims=0)]

    def _predicted(self, answers: str, labels: int) -> list["NodeProto"]:
        """The position, from 1, of each label that is predicted, else 0 [rows, labels]."""
        from onnx import TensorProto, helper

        threshold = self._constant("threshold", LABEL_THRESHOLD, TensorProto.FLOAT)
        above = helper.make_node("Greater", [answers, threshold], [self._value()])
        number = helper.make_node("Cast", [above.output[0]], [self._value()], to=TensorProto.INT64)
        positions = self._constant("positions", list(range(1, labels + 1)))
        return [above, number, helper.make_node("Mul", [number.output[0], positions], [self._value()])]

    def _positions(self, each: Input) -> "NodeProto":
        """From texts to positions in the vocabulary: NaN for a missing one, 0 for an unknown one."""
        categories = each.categories or []
        missing = ["", *sorted(each.how.missing - {""})]
        keys = [*missing, *categories]
        values = [float("nan")] * len(missing) + [float(at) for at in range(1, len(categories) + 1)]
        coded = {"keys_strings": keys, "values_floats": values, "default_float": 0.0}
        return self._ml("LabelEncoder", each.name, self._value(), **coded)

    def _ml(self, operation: str, given: str, made: str, **attributes: Any) -> "NodeProto":
        from onnx import helper

        return helper.make_node(operation, [given], [made], domain="ai.onnx.ml", **attributes)

    def _constant(self, name: str, value: Any, dtype: int | None = None) -> str:
        """Adds a constant, of int64 unless `dtype` says otherwise."""
        from onnx import TensorProto, helper

        full = f"{self._inner}columns/{name}"
        values, shape = (value, [len(value)]) if isinstance(value, list) else ([value], [])
        self._graph.initializer.append(helper.make_tensor(full, dtype or TensorProto.INT64, shape, values))
        return full

    def _value(self) -> str:
        self._count += 1
        return f"{self._inner}columns/{self._count}"

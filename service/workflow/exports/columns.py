"""A model that takes what other software can compute instead of raw features: one column for each input, and a tensor for each
one whose values have a shape."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from service.workflow.data.table import Numbers, Table, Texts, plain
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.column_type import ColumnType
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.encode import raw_dtype, shaped_inputs, table_inputs
from service.workflow.exports.embedding_bags import replace_bags
from service.workflow.exports.export import Source
from service.workflow.model import Model, restore
from service.workflow.models.input_shapes import FEATURES
from service.workflow.signature import Input, Signature

if TYPE_CHECKING:
    from torch.export import ExportedProgram

ROWS_TRACED = 5  # torch.export takes a size of 0 or 1 for a constant


class OfColumns(nn.Module):
    """From columns float64 [n, inputs], in the order of the signature, to the model's answers [n, outputs].

    A column has numbers; 1 and 0 for a boolean; seconds since 1970 for a date or time; for a category its position in the
    vocabulary, counted from 1, and 0 for an unknown one. NaN stands for a missing value.
    """

    missing: torch.Tensor | None
    alone: torch.Tensor
    order: torch.Tensor

    def __init__(self, model: Model, signature: Signature) -> None:
        super().__init__()
        self.model = model
        inputs = table_inputs(signature.inputs)
        self.dtype = torch.float64 if raw_dtype(inputs) == np.float64 else torch.float32
        kinds = [COLUMN_TYPES[each.type] for each in inputs]
        self.register_buffer("missing", _missing_numbers(inputs, self.dtype))
        self.wide = list(dict.fromkeys(kind.name for kind in kinds if kind.raw_columns > 1))
        if self.wide:
            alone = [at for at, kind in enumerate(kinds) if kind.raw_columns == 1]
            together = {name: [at for at, kind in enumerate(kinds) if kind.name == name] for name in self.wide}
            self.register_buffer("alone", torch.tensor(alone, dtype=torch.int64))
            for name, places in together.items():
                self.register_buffer(f"wide_{name}", torch.tensor(places))
            self.register_buffer("order", self._order(kinds, alone, together))

    def _order(self, kinds: list[ColumnType], alone: list[int], together: dict[str, list[int]]) -> torch.Tensor:
        """The position of each raw column among those that `forward` makes."""
        made = [(at, 0) for at in alone]
        for name, places in together.items():
            made += [(at, part) for part in range(COLUMN_TYPES[name].raw_columns) for at in places]
        positions = {place: position for position, place in enumerate(made)}
        raw = [(at, part) for at, kind in enumerate(kinds) for part in range(kind.raw_columns)]
        return torch.tensor([positions[place] for place in raw])

    def forward(self, columns: torch.Tensor) -> torch.Tensor:
        """From columns float64 [n, inputs] to answers [n, outputs]."""
        answers: torch.Tensor = self.model(self.raw_features(columns))
        return answers

    def raw_features(self, columns: torch.Tensor) -> torch.Tensor:
        """From columns float64 [n, inputs] to raw features [n, w]."""
        if self.missing is not None:
            found = columns.to(self.dtype).unsqueeze(2) == self.missing
            columns = torch.where(found.any(dim=2), torch.nan, columns)
        if self.wide:
            parts = [columns.index_select(1, self.alone)]
            for name in self.wide:
                parts += COLUMN_TYPES[name].encode_tensors(columns.index_select(1, self.get_buffer(f"wide_{name}")))
            columns = torch.cat(parts, dim=1).index_select(1, self.order)
        return columns.to(self.dtype)


class OfTensors(OfColumns):
    """From a dict of tensors by the names of `exported_inputs` to the model's answers [n, outputs]: the columns of a table as in
    `OfColumns`, of the inputs that are one, and the raw tensor [n, *shape] of each input whose values have a shape."""

    def __init__(self, model: Model, signature: Signature) -> None:
        super().__init__(model, signature)
        self.columns = exported_inputs(signature)[0].name if table_inputs(signature.inputs) else None

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
        """From tensors by name to answers [n, outputs]."""
        raw = {name: each for name, each in inputs.items() if name != self.columns}
        if self.columns is not None:
            raw[FEATURES] = self.raw_features(inputs[self.columns])
        answers: torch.Tensor = self.model(raw)
        return answers


@dataclass(frozen=True)
class ExportedInput:
    """A tensor [n, *shape] that an exported model takes. `inputs` are the names of the signature's inputs in it."""

    name: str
    dtype: torch.dtype
    shape: list[int]
    inputs: list[str]


def exported_inputs(signature: Signature) -> list[ExportedInput]:
    """Those of a model, in order: `columns`, if there are columns of a table, with a `_` appended where another input has this
    name, and the inputs whose values have a shape."""
    shaped, names = shaped_inputs(signature.inputs), [each.name for each in table_inputs(signature.inputs)]
    own = [ExportedInput(each.name, _dtype(each, kind), list(each.shape or ()), [each.name]) for each, kind in shaped]
    columns = "columns"
    while any(each.name == columns for each in own):
        columns += "_"
    return [ExportedInput(columns, torch.float64, [len(names)], names), *own] if names else own


def _dtype(of: Input, kind: ShapedType) -> torch.dtype:
    """The type of an exported input's numbers: ids are int64, as other software has them."""
    return kind.blank(of, 0).dtype if kind.ids(of) is None else torch.int64


def _missing_numbers(inputs: list[Input], dtype: torch.dtype) -> torch.Tensor | None:
    """The numbers that stand for a missing value [inputs, m], filled up with NaN, which equals no number; None if there are
    none."""
    each = [sorted(of.how.missing_numbers) if COLUMN_TYPES[of.type].numeric else [] for of in inputs]
    most = max(map(len, each), default=0)
    return torch.tensor([[*row, *[torch.nan] * (most - len(row))] for row in each], dtype=dtype) if most else None


def trace(source: Source, *, bags: bool = True) -> "ExportedProgram":
    """The model as a graph of torch's operations for any number of rows: `OfTensors` if values have a shape, else `OfColumns`.
    Without `bags`, `nn.EmbeddingBag` is replaced. Raises what `torch.export` raises."""
    rows = {0: torch.export.Dim.DYNAMIC}
    # Tensors that were mapped from a file may share one storage, which torch.export.save cannot divide by types.
    tensors = {name: tensor.clone() for name, tensor in source.model.tensors().items()}
    model, signature = restore(source.spec, source.signature, tensors), source.signature
    if not bags:
        replace_bags(model.network)
    given = {each.name: torch.zeros(ROWS_TRACED, *each.shape, dtype=each.dtype) for each in exported_inputs(signature)}
    with torch.no_grad():
        if model.shaped:
            shapes = {"inputs": dict.fromkeys(given, rows)}
            program = torch.export.export(OfTensors(model, signature).eval(), (given,), dynamic_shapes=shapes)
        else:
            (columns,) = given.values()
            module = OfColumns(model, signature).eval()
            program = torch.export.export(module, (columns,), dynamic_shapes={"columns": rows})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the paths of our source files
    return program


def columns_of(signature: Signature, rows: Table) -> torch.Tensor:
    """The columns float64 [n, inputs] of rows, of the inputs that are columns of a table."""
    inputs = table_inputs(signature.inputs)
    return torch.from_numpy(np.stack([_column(each, plain(rows.columns[each.name])) for each in inputs], axis=1))


def tensors_of(signature: Signature, rows: Table) -> dict[str, torch.Tensor]:
    """The tensors that `OfTensors` takes for rows."""
    first, shaped = exported_inputs(signature)[0], shaped_tensors(signature, rows)
    return shaped if first.name in shaped else {first.name: columns_of(signature, rows), **shaped}


def shaped_tensors(signature: Signature, rows: Table) -> dict[str, torch.Tensor]:
    """The raw tensors of the inputs whose values have a shape, by their names."""
    cache, columns = TensorCache(), rows.columns
    return {
        each.name: kind.to_tensor(each, columns[each.name], cache).to(_dtype(each, kind))
        for each, kind in shaped_inputs(signature.inputs)
    }


def _column(of: Input, column: Numbers | Texts) -> Numbers:
    if not isinstance(column, Texts):
        return column.astype(np.float64)
    positions = {text: at for at, text in enumerate(of.categories or [], start=1)}
    by_code = np.array([*(positions.get(text, 0) for text in column.values), np.nan], np.float64)
    return np.asarray(by_code[column.codes])  # the code -1, missing, takes the last one


def vocabularies(signature: Signature) -> dict[str, Any]:
    """The categories of each input, and the classes or labels in the order of the model's outputs."""
    inputs = {each.name: each.categories for each in signature.inputs if each.categories is not None}
    outputs = {each.name: each.classes for each in signature.outputs if each.classes is not None}
    return {"inputs": inputs, "outputs": outputs}

"""The model as a graph for `torch.export.load`, with its preprocessing, for any number of rows.

Loading such a file unpickles: only load one that you trust. Its `extra_files` are `signature.json`, as in the manifest, and
`vocabularies.json`: `{"inputs": {name: [category, …]}, "outputs": {name: [class, …]}}`. `OfColumns` describes its input; if
values of an input have a shape, it is `OfTensors`, and `tensors.json` lists the tensors of its dict in order:
`[{"name", "dtype", "shape", "inputs"}, …]`.
"""

from pathlib import Path
from typing import Any

import orjson
import torch

from service.workflow.data.table import Table
from service.workflow.exports.columns import (
    ExportedInput,
    columns_of,
    exported_inputs,
    tensors_of,
    trace,
    vocabularies,
)
from service.workflow.exports.export import Answers, Export, Predict, Source


def write(source: Source, path: Path) -> None:
    """Writes the file. Raises what torch raises for a model that cannot be traced."""
    signature: Any = source.signature.model_dump(mode="json")
    documents = {"signature": signature, "vocabularies": vocabularies(source.signature)}
    if source.model.shaped:
        documents["tensors"] = [_described(each) for each in exported_inputs(source.signature)]
    extra = {f"{name}.json": orjson.dumps(each).decode() for name, each in documents.items()}
    torch.export.save(trace(source), path, extra_files=extra)


def _described(each: ExportedInput) -> dict[str, Any]:
    dtype = str(each.dtype).removeprefix("torch.")
    return {"name": each.name, "dtype": dtype, "shape": each.shape, "inputs": each.inputs}


def predict(source: Source, path: Path) -> Predict:
    """Opens the file."""
    module = torch.export.load(path).module()
    given = tensors_of if source.model.shaped else columns_of

    def answers(rows: Table) -> Answers:
        with torch.inference_mode():
            return Answers(module(given(source.signature, rows)).numpy())

    return answers


EXPORT = Export("application/octet-stream", ".pt2", write, predict)

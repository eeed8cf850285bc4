"""The model as an ONNX file with an input for each column and labels as texts (`onnx_graph.py`). The signature is in its
metadata."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from service.workflow.data.table import Numbers, Table, Texts, plain
from service.workflow.encode import raw_dtype
from service.workflow.exports.check_rows import takes_missing
from service.workflow.exports.columns import shaped_tensors, trace
from service.workflow.exports.export import Answers, Export, Predict, Source
from service.workflow.exports.onnx_graph import Column, Names, with_named_columns
from service.workflow.tasks import Task

Run = Callable[[Mapping[str, Numbers]], list[Any]]


def write(source: Source, path: Path) -> None:
    """Writes the file. Raises what torch and onnx raise for a model that they cannot convert."""
    traced = trace(source, bags=False)
    program = torch.onnx.export(traced, dynamo=True, verbose=False, external_data=False, optimize=True)
    if program is None:
        raise RuntimeError("torch has returned no model")
    model = with_named_columns(program.model_proto, source.signature, _columns(source))
    path.write_bytes(model.SerializeToString())


def predict(source: Source, path: Path) -> Predict:
    """Opens the file, in ONNX Runtime if that is installed, else in the reference evaluator of onnx."""
    run, columns = _open(path), _columns(source)
    signature, names = source.signature, Names.of(source.signature)

    def answers(rows: Table) -> Answers:
        tensors = {name: each.numpy() for name, each in shaped_tensors(source.signature, rows).items()}
        table = {
            name: _values(column, plain(rows.columns[name])) for name, column in columns.items() if name not in tensors
        }
        found = run(table | tensors)
        if names.labels is None:
            return Answers(np.stack(found, axis=1))
        labels, probabilities = found
        if signature.task is Task.MULTILABEL:
            return Answers(probabilities, [[label for label in row if label] for row in labels.tolist()])
        return Answers(probabilities, labels.tolist())

    return answers


def _open(path: Path) -> Run:
    if importlib.util.find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(str(path))
        return lambda feed: list(evaluator.run(None, dict(feed)))
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda feed: list(session.run(None, dict(feed)))


def _columns(source: Source) -> dict[str, Column]:
    """The type of each input of the file."""
    number = raw_dtype(source.signature.inputs).name
    return {
        each.name: Column.of(each, number, takes_missing(source, at)) for at, each in enumerate(source.signature.inputs)
    }


def _values(column: Column, values: Numbers | Texts) -> Numbers:
    """A column of a table in the type of the input."""
    if isinstance(values, Texts):
        return np.array([*values.values, ""], object)[values.codes]  # the code -1, missing, takes the last one
    return values.astype({"bool": np.bool_, "float": np.float32, "double": np.float64}[column.value])


EXPORT = Export("application/octet-stream", ".onnx", write, predict, packages=("onnx", "onnxscript"))

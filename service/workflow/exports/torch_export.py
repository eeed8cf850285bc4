"""The model as a graph for `torch.export.load`, with its preprocessing, for any number of rows.

Loading such a file unpickles: only load one that you trust. Its `extra_files` are `signature.json`, as in the manifest, and
`vocabularies.json`: `{"inputs": {name: [category, …]}, "outputs": {name: [class, …]}}`. `OfColumns` describes its input.
"""

from pathlib import Path

import orjson
import torch

from service.workflow.data.table import Table
from service.workflow.exports.columns import columns_of, trace, vocabularies
from service.workflow.exports.export import Answers, Export, Predict, Source


def write(source: Source, path: Path) -> None:
    """Writes the file. Raises what torch raises for a model that cannot be traced."""
    documents = {"signature": source.signature.model_dump(mode="json"), "vocabularies": vocabularies(source.signature)}
    extra = {f"{name}.json": orjson.dumps(each).decode() for name, each in documents.items()}
    torch.export.save(trace(source), path, extra_files=extra)


def predict(source: Source, path: Path) -> Predict:
    """Opens the file."""
    module = torch.export.load(path).module()

    def answers(rows: Table) -> Answers:
        with torch.inference_mode():
            return Answers(module(columns_of(source.signature, rows)).numpy())

    return answers


EXPORT = Export("application/octet-stream", ".pt2", write, predict)

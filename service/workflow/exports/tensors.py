"""Predictions by the tensors of an exported file."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from service.workflow.data.table import Table
from service.workflow.encode import raw_inputs
from service.workflow.exports.export import Answers, Predict, Source
from service.workflow.model import restore


def predict_by(load: Callable[[Path], Mapping[str, torch.Tensor]]) -> Callable[[Source, Path], Predict]:
    """`Export.predict` for a file that holds the state_dict, which `load` reads."""

    def open_file(source: Source, path: Path) -> Predict:
        model = restore(source.spec, source.signature, load(path))

        def predict(rows: Table) -> Answers:
            with torch.inference_mode():
                return Answers(model(raw_inputs(source.signature.inputs, rows.columns)).numpy())

        return predict

    return open_file

"""A folder for the Hugging Face Hub, in a zip archive: the version's tensors, what `modeling.py` needs to know about the model,
the files that read that, and the model card."""

import runpy
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
import orjson

from service.workflow.data.table import Table, Texts, Values, plain
from service.workflow.data.types.category import as_text
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.exports.export import Answers, Export, Predict, Source
from service.workflow.exports.huggingface.config import config
from service.workflow.exports.huggingface.readme import readme
from service.workflow.signature import Input, Signature
from service.workflow.tasks import Task

FILES = sorted(Path(__file__).with_name("files").glob("*.py"))  # as they are: the export has these very texts
MODELING = "modeling.py"
CHANGED = (1980, 1, 1, 0, 0, 0)  # the first time of the format; the same model makes the same bytes
REGULAR_FILE = 0o100644 << 16


def write(source: Source, path: Path) -> None:
    """Writes the archive. Its files are not compressed, as compressed bytes depend on the version of zlib.

    Raises:
        ExportFailed: the model is of a plug-in's kind.
        OSError: the file cannot be written.
    """
    made = config(source)
    with ZipFile(path, "w") as archive:
        archive.writestr(_entry("config.json"), orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n")
        archive.writestr(_entry("README.md"), readme(source).encode())
        for file in FILES:
            archive.writestr(_entry(file.name), file.read_bytes())
        entry = _entry("model.safetensors")
        entry.file_size = source.state_dict.stat().st_size
        with source.state_dict.open("rb") as tensors, archive.open(entry, "w") as target:
            shutil.copyfileobj(tensors, target, 2**20)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, CHANGED)
    entry.create_system, entry.external_attr = 3, REGULAR_FILE
    return entry


def open_folder(source: Source, path: Path) -> Predict:
    """Extracts the archive beside it, loads the model by the archive's own `modeling.py`, and predicts by it."""
    folder = path.with_suffix("")
    with ZipFile(path) as archive:
        archive.extractall(folder)
    model = runpy.run_path(str(folder / MODELING))["load"](folder)
    return lambda rows: _answers(source.signature, model.predict(_rows(source.signature, rows)))


def _rows(signature: Signature, table: Table) -> list[dict[str, Any]]:
    """The rows as a user has them: texts, numbers, and dates in ISO 8601."""
    columns = [_values(each, table.columns[each.name]) for each in signature.inputs]
    names = [each.name for each in signature.inputs]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(of: Input, column: Values) -> list[Any]:
    kind, column = COLUMN_TYPES[of.type], plain(column)
    if isinstance(column, Texts):
        return [None if code < 0 else column.values[code] for code in column.codes.tolist()]
    if kind.shaped:
        return [*column]
    return [None if value != value else kind.plotted(value) for value in column.tolist()]


def _answers(signature: Signature, predictions: list[Any]) -> Answers:
    if signature.task is Task.REGRESSION:
        return Answers(np.array(predictions, np.float64).reshape(-1, len(signature.outputs)))  # NaN for None
    width = len(signature.classes) if signature.classifies else len(signature.outputs)
    probabilities = [list(each["probabilities"].values()) for each in predictions]
    values = np.array(probabilities, np.float64).reshape(-1, width)
    if signature.classifies:
        return Answers(values, [as_text(each["label"]) for each in predictions])
    return Answers(values, [each["labels"] for each in predictions])


EXPORT = Export("application/zip", ".huggingface.zip", write, open_folder)  # a bundle has the suffix .zip

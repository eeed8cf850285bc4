"""Models to be exported, and their files used as someone without this software would use them."""

import json
import random
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson
import torch

from service.serving.codecs.instances import from_body
from service.serving.codecs.json import predictions
from service.serving.warm_models import Warm
from service.workflow.exports import EXPORTS, Source
from service.workflow.look.points import Points
from service.workflow.save_and_load import load, save
from service.workflow.spec import parse_resolved
from service.workflow.temperature import Temperature
from tests.workflow.learning import houses, spec, train

Rows = Sequence[Mapping[str, Any]]
COLUMNS = {  # the features by which a model is tried, by the types of their columns
    "number": ["size", "age"],
    "category": ["colour", "zone"],
    "boolean": ["garden", "lift"],
    "datetime": ["sold", "built"],
    "float64": ["sold_at", "size"],
    "all": ["lift", "sold", "size", "colour", "sold_at", "garden", "age", "built", "zone"],
}
TARGETS: dict[str, str | list[str]] = {
    "regression": "price",
    "binary": "dear",
    "multiclass": "kind",
    "multilabel": ["large", "old"],
    "several targets": ["price", "visitors"],
}
LAYERS = [{"name": "Linear", "out_features": 8}, {"name": "LayerNorm"}, {"name": "SiLU"}, {"name": "Linear"}]
KINDS: dict[str, dict[str, Any]] = {
    "linear_regression": {"kind": "linear_regression"},
    "logistic_regression": {"kind": "logistic_regression"},
    "mlp": {"kind": "mlp", "hidden": [8, 8], "normalization": "BatchNorm1d", "residual": True, "dropout": 0.1},
    "tabm": {"kind": "tabm", "width": 16, "members": 4},
    "layers": {"kind": "layers", "layers": LAYERS},
}
NUMBERS = ("regression", "several targets")


@dataclass
class Exported:
    """A trained model and its exports, by name, in a folder."""

    source: Source
    points: Points
    warm: Warm
    files: dict[str, Path]

    def own_predictions(self, rows: Rows) -> list[Any]:
        """What the service answers to the rows, decoded from its JSON."""
        if not rows:
            return []
        raw = from_body(self.source.signature, {"instances": [dict(row) for row in rows]}, missing_allowed=True)
        made: list[Any] = orjson.loads(orjson.dumps(predictions(self.warm, raw), option=orjson.OPT_SERIALIZE_NUMPY))
        return made


def table() -> list[dict[str, Any]]:
    """The houses, with more columns: a boolean and a date that may be missing, categories that look like numbers, and times
    as numbers that float32 would blur."""
    draw = random.Random(3)  # noqa: S311 - test data
    made = []
    for at, row in enumerate(houses()):
        made.append(
            row
            | {
                "lift": None if at % 19 == 0 else draw.random() < 0.5,
                "built": None if at % 29 == 0 else f"19{draw.randrange(10, 99)}-0{at % 9 + 1}-11T0{at % 10}:30:00Z",
                "zone": draw.choice(["1", "2", "10", "7b"]),
                "sold_at": 1.7e9 + draw.randrange(10_000),
            }
        )
    return made


def may_learn(kind: str, task: str) -> bool:
    """Whether a kind of model is for this task."""
    return {"linear_regression": task in NUMBERS, "logistic_regression": task not in NUMBERS}.get(kind, True)


def exported(folder: Path, kind: str, columns: str, task: str, exports: Sequence[str], **parts: Any) -> Exported:
    """Trains a model, with other `parts` of its spec, and writes its exports. With the part `calibration` it has a temperature
    of 1.7, whatever fits."""
    data = {"records": table(), "features": COLUMNS[columns]}
    types = {"zone": "category", "built": "datetime"}
    data["features"] = {name: {"type": types.get(name) or _type(name)} for name in COLUMNS[columns]}
    value = spec(TARGETS[task], data=data, model=KINDS[kind], **{"training": {"epochs": 2}, **parts})
    trained = train(value)
    trained.learned.model.calibration = Temperature(1.7) if parts.get("calibration") else None
    path = folder / "state_dict.safetensors"
    save(trained.learned.model, path)
    resolved, signature = parse_resolved(trained.resolved.spec.to_json()), trained.learned.signature
    manifest = {"spec": resolved.to_json(), "signature": signature.model_dump(mode="json")}
    model = load(resolved, signature, path)
    source = Source(manifest, "0" * 64, resolved, signature, path, model)
    files = {name: folder / f"model{EXPORTS[name].suffix}" for name in exports}
    for name, file in files.items():
        write = EXPORTS[name].write
        assert write is not None
        write(source, file)
    return Exported(source, trained.learned.points, Warm(model, signature), files)


def _type(name: str) -> str:
    return {"garden": "boolean", "lift": "boolean", "sold": "datetime", "colour": "category"}.get(name, "number")


def by_onnx_runtime(path: Path, rows: Rows) -> list[Any]:
    """The predictions of an ONNX file, in the form of the service's."""
    session = onnxruntime.InferenceSession(path)
    feed = {each.name: _column(each.type, [row[each.name] for row in rows]) for each in session.get_inputs()}
    return _answers(session.get_modelmeta().custom_metadata_map, session.run(None, feed))


def _column(kind: str, values: Sequence[Any]) -> Any:
    if kind == "tensor(string)":
        return np.array(["" if value is None else value for value in values], object)
    if kind == "tensor(bool)":
        return np.array(values, bool)
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64}[kind]
    return np.array([_number(value) for value in values], dtype)


def _number(value: Any) -> float:
    if isinstance(value, str):
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return np.nan if value is None else float(value)


def _answers(metadata: Mapping[str, str], found: Sequence[Any]) -> list[Any]:
    classes = json.loads(metadata["classes"])
    if not classes:
        numbers = np.stack(found, axis=1).astype(np.float64).tolist()
        return [row[0] if len(row) == 1 else row for row in numbers]
    labels, probabilities = (each.tolist() for each in found)
    named = [dict(zip(classes, row, strict=True)) for row in probabilities]
    if json.loads(metadata["signature"])["task"] != "multilabel":
        return [{"label": label, "probabilities": each} for label, each in zip(labels, named, strict=True)]
    listed = ([label for label in row if label] for row in labels)
    return [{"labels": row, "probabilities": each} for row, each in zip(listed, named, strict=True)]


def by_torch(path: Path, rows: Rows) -> list[Any]:
    """The predictions of a file of `torch.export`, in the form of the service's."""
    extra = {"signature.json": "", "vocabularies.json": ""}
    module = torch.export.load(path, extra_files=extra).module()
    signature, vocabularies = (json.loads(extra[name]) for name in extra)
    columns = torch.tensor(
        [[_position(each, row[each["name"]]) for each in signature["inputs"]] for row in rows], dtype=torch.float64
    ).reshape(len(rows), len(signature["inputs"]))
    with torch.inference_mode():
        values = module(columns).to(torch.float64).tolist()
    outputs = vocabularies["outputs"]
    if not outputs:
        return [row[0] if len(row) == 1 else row for row in values]
    if signature["task"] == "multilabel":
        named = [dict(zip(outputs, row, strict=True)) for row in values]
        return [{"labels": [name for name, p in row.items() if p > 0.5], "probabilities": row} for row in named]
    (classes,) = outputs.values()
    return [
        {"label": classes[row.index(max(row))], "probabilities": dict(zip(classes, row, strict=True))} for row in values
    ]


def _position(of: Mapping[str, Any], value: Any) -> float:
    if of["categories"] is None:
        return _number(value)
    return np.nan if value is None else 1.0 + of["categories"].index(value) if value in of["categories"] else 0.0


def paths_in(path: Path) -> list[bytes]:
    """Traces of this machine's folders in a file."""
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            data = b"".join(archive.read(name) for name in archive.namelist())
    return [each for each in (str(Path(__file__).parents[2]).encode(), b"site-packages", b".py") if each in data]


def agree(given: Sequence[Any], own: Sequence[Any], usual: Sequence[Any]) -> bool:
    """Whether predictions are equal: numbers within 1e-5 of the largest magnitude of their output, in them or in `usual`
    predictions of the model, and labels equal unless the two best probabilities differ by less than that."""
    a, b = _values(given), _values(own)
    if a.shape != b.shape:
        return False
    if not len(a):
        return True
    most = 1e-5 * np.abs(np.concatenate([b, _values(usual)])).max(axis=0)
    if not bool((np.abs(a - b) <= most).all()):
        return False
    for one, other in zip(given, own, strict=True):
        if isinstance(other, dict) and "label" in other and one["label"] != other["label"]:
            best = sorted(other["probabilities"].values())[-2:]
            if best[1] - best[0] >= most.max():
                return False
        if isinstance(other, dict) and "labels" in other:
            odd = set(one["labels"]) ^ set(other["labels"])
            if any(abs(other["probabilities"][name] - 0.5) >= most.max() for name in odd):
                return False
    return True


def _values(found: Sequence[Any]) -> Any:
    rows = [list(each["probabilities"].values()) if isinstance(each, dict) else np.atleast_1d(each) for each in found]
    return np.array(rows, np.float64)

"""Models of inputs whose values have a shape, to be exported."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from service.workflow.data.schema import Column, Schema
from service.workflow.data.table import Table, Texts
from service.workflow.exports import EXPORTS, Source
from service.workflow.exports.check import check
from service.workflow.learn import learn
from service.workflow.resolve import resolve
from service.workflow.save_and_load import load, save
from service.workflow.spec import parse, parse_resolved

ROWS = 40
WORDS = ["the", "café", "opened", "early", "and", "我们", "liked", "Straße", "7", "very", "much", "🙂"]
FEATURES: dict[str, dict[str, Any]] = {  # as a spec has them
    "photo": {"type": "image", "size": [9, 10], "channels": 3},
    "review": {"type": "text", "encoding": "ngrams", "buckets": 200, "length": 24},
    "note": {"type": "text", "encoding": "bpe", "vocabulary": 300, "length": 16},
    "clip": {"type": "video", "frames": 3, "size": [5, 4], "channels": 1},
    "columns": {"type": "tensor"},
    "size": {"type": "number"},
    "the colour": {"type": "category"},
}


def table() -> Table:
    """Rows with every type; some values are missing."""
    draw = np.random.default_rng(5)
    size = draw.normal(size=ROWS)
    size[3] = math.nan
    series = draw.normal(3, 2, (ROWS, 6, 5)).astype(np.float32)
    series[2, 1] = np.nan
    texts = [" ".join(draw.choice(WORDS, draw.integers(1, 9))) for _ in range(ROWS)]
    colours = draw.integers(-1, 3, ROWS).astype(np.int32)
    return Table(
        {
            "photo": draw.integers(0, 256, (ROWS, 3, 9, 10)).astype(np.uint8),
            "review": Texts(np.arange(ROWS, dtype=np.int32) - 1, texts),
            "note": Texts(np.arange(ROWS, dtype=np.int32)[::-1].copy() - 1, texts),
            "clip": draw.integers(0, 256, (ROWS, 3, 1, 5, 4)).astype(np.uint8),
            "columns": series,
            "size": size.astype(np.float32),
            "the colour": Texts(colours, ["blue", "green", "red"]),
            "y": (np.nan_to_num(size) > 0).astype(np.float64),
        }
    )


def source_of(folder: Path, model: Mapping[str, Any], names: Sequence[str]) -> Source:
    """A model of these columns, trained for one epoch."""
    columns = [Column(name=name, type=FEATURES[name]["type"], missing=1) for name in names if name != "columns"]
    if "columns" in names:
        columns.append(Column(name="columns", type="tensor", statistics={"shape": [6, 5], "dtype": "float32"}))
    columns.append(Column(name="y", type="number", integer=True, values=[0, 1], counts=[ROWS // 2, ROWS // 2]))
    data = {"kind": "dataset", "dataset": "d", "target": "y", "features": {name: FEATURES[name] for name in names}}
    training = {"epochs": 1, "batch_size": 16, "early_stopping": None}
    of = resolve(
        parse({"model_name": "m", "data": data, "model": dict(model), "training": training}),
        Schema(rows=ROWS, columns=columns),
    )
    torch.set_num_threads(1)
    spec = parse_resolved(of.spec.to_json())
    learned = learn(spec, of.signature, table(), lambda *_: None)
    path = folder / "state_dict.safetensors"
    save(learned.model, path)
    manifest = {"spec": spec.to_json(), "signature": learned.signature.model_dump(mode="json")}
    return Source(manifest, "0" * 64, spec, learned.signature, path, load(spec, learned.signature, path))


def written(source: Source, name: str, folder: Path) -> Path:
    """The file of an export, which the check has accepted."""
    export = EXPORTS[name]
    path = folder / f"model{export.suffix}"
    assert export.write is not None
    export.write(source, path)
    check(source, export.predict(source, path), None)
    return path

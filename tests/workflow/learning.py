"""Trainings without a service, and their results with the losses of every epoch."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from service.workflow.data.data_kind import StoredDataset
from service.workflow.data.schema import Schema
from service.workflow.data.table import RequestedColumn
from service.workflow.evaluation_spec import columns as evaluation_columns
from service.workflow.learn import TrainingResult, learn
from service.workflow.resolve import Resolved, resolve
from service.workflow.spec import TrainingSpec, parse, parse_resolved
from service.workflow.split import columns
from service.workflow.state import State
from service.workflow.training_loop import AfterStep

FEATURES = {
    "size": {"type": "number"},
    "age": {"type": "number"},
    "colour": {"type": "category"},
    "sold": {"type": "datetime"},
    "garden": {"type": "boolean"},
}


@dataclass
class Trained:
    """A training and its results."""

    resolved: Resolved
    learned: TrainingResult
    losses: list[dict[str, float]]


def houses(count: int = 160) -> list[dict[str, Any]]:
    """Rows with every type of column, some values missing, and a target for each task."""
    draw = random.Random(7)  # noqa: S311 - test data
    made = []
    for i in range(count):
        size, age, colour = draw.gauss(0, 1), draw.gauss(0, 1), draw.choice(["red", "green", "blue"])
        price = 2 * size - age + ["red", "green", "blue"].index(colour)
        made.append(
            {
                "size": size,
                "age": None if i % 17 == 0 else age,
                "colour": None if i % 23 == 0 else colour,
                "sold": f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d}",
                "garden": bool(i % 2),
                "price": price,
                "visitors": int(abs(3 * size)),
                "dear": "yes" if price > 1 else "no",
                "kind": colour + " house",
                "large": size > 0,
                "old": age > 0,
            }
        )
    return made


def spec(target: str | list[str], **parts: Any) -> dict[str, Any]:
    """A spec on the houses; `data` and `training` are merged into small defaults."""
    data = {"kind": "rows", "records": houses(), "target": target, "features": FEATURES} | parts.pop("data", {})
    training = {"epochs": 6, "batch_size": 32, "early_stopping": None} | parts.pop("training", {})
    return {"model_name": "m", "data": data, "model": {"kind": "mlp", "hidden": [16]}, "training": training} | parts


def no_dataset(name: str, version: int | None) -> StoredDataset:
    """Finds no stored data set."""
    raise LookupError(name)


def resolved_from(spec: TrainingSpec) -> Resolved:
    """The spec resolved with the schema of its own data."""
    return resolve(spec, spec.data.survey(no_dataset)[1])


def train(value: dict[str, Any], after_step: AfterStep | None = None, saved: State | None = None) -> Trained:
    """Train as an attempt does."""
    torch.set_num_threads(1)
    resolved = resolved_from(parse(value))
    again = parse_resolved(resolved.spec.to_json())  # an attempt gets the spec as JSON
    losses: list[dict[str, float]] = []

    def wanted(schema: Schema) -> Mapping[str, RequestedColumn]:
        by = evaluation_columns(again.evaluation, schema)
        return by | columns(again.split, schema) | resolved.signature.wanted()

    table = again.data.load(wanted, no_dataset, Path()).table
    learned = learn(
        again,
        resolved.signature,
        table,
        lambda _, values: losses.append(values),
        after_step=after_step,
        saved=saved,
    )
    return Trained(resolved, learned, losses)

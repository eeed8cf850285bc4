"""The minimum that reading the bodies of `benchmarks/formats.py` takes in Python, without validation. It shows the
unavoidable cost of a category and missing values: orjson, one list for each column, one array for each list, a dictionary
lookup for each text, the same forward pass, and orjson for the response.
"""

import json
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import orjson
import polars
import torch

from benchmarks.in_process import resolved_with_table
from service.serving.forward import forward
from service.serving.warm_models import Warm
from service.workflow.learn import learn

PAUSE = 0.001
Columns = dict[str, list[Any]]


def warm(spec: dict[str, Any]) -> Warm:
    """A model as this spec makes it, in this process."""
    found, table = resolved_with_table(json.loads(json.dumps(spec)))
    lesson = learn(found.spec, found.signature, table, lambda *_: None)
    return Warm(lesson.model.eval(), lesson.signature)


def ratio(
    models: Sequence[Warm], bodies: Sequence[bytes], read: Callable[[bytes, Sequence[str]], Columns], rounds: int
) -> float:
    """The processor time of the second body as a multiple of that of the first, responses included. They alternate; the
    medians count."""
    seen: list[list[float]] = [[], []]
    for _ in range(rounds):
        for model, body, times in zip(models, bodies, seen, strict=True):
            time.sleep(PAUSE)
            began = time.thread_time()
            _answer(model, read(body, [each.name for each in model.signature.inputs]))
            times.append(time.thread_time() - began)
    return median(seen[1]) / median(seen[0])


def _answer(model: Warm, columns: Columns) -> bytes:
    inputs = model.signature.inputs
    known = [
        None if each.categories is None else {text: i for i, text in enumerate(each.categories, 1)} for each in inputs
    ]
    values = [columns[each.name] for each in inputs]
    lists = [given if by is None else [*map(by.get, given)] for given, by in zip(values, known, strict=True)]
    raw = torch.from_numpy(np.stack([np.array(each, np.float32) for each in lists], axis=1))
    return orjson.dumps({"predictions": forward(model, raw)[:, 0].copy()}, option=orjson.OPT_SERIALIZE_NUMPY)


def _by_rows(rows: list[list[Any]], names: Sequence[str]) -> Columns:
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _records(rows: list[dict[str, Any]], names: Sequence[str]) -> Columns:
    return {name: [row[name] for row in rows] for name in names}


def _tensors(tensors: list[dict[str, Any]], names: Sequence[str]) -> Columns:
    if len(tensors) > 1:
        return {each["name"]: _flat(each["data"]) for each in tensors}
    data = _flat(tensors[0]["data"])
    return {name: data[at :: len(names)] for at, name in enumerate(names)}


def _flat(data: list[Any]) -> list[Any]:
    return [value for row in data for value in row] if isinstance(data[0], list) else data


def _frame(frame: polars.DataFrame) -> Columns:
    return {each.name: each.to_list() for each in frame}


READERS: dict[str, Callable[[bytes, Sequence[str]], Columns]] = {
    "JSON lists": lambda body, names: _by_rows(orjson.loads(body)["instances"], names),
    "JSON columns": lambda body, _: orjson.loads(body)["inputs"],
    "records": lambda body, names: _records(orjson.loads(body)["instances"], names),
    "MLflow records": lambda body, names: _records(orjson.loads(body)["dataframe_records"], names),
    "MLflow split": lambda body, names: _by_rows(orjson.loads(body)["dataframe_split"]["data"], names),
    "JSON Lines": lambda body, names: _records([*map(orjson.loads, body.splitlines())], names),
    "OIP JSON, flat": lambda body, names: _tensors(orjson.loads(body)["inputs"], names),
    "OIP JSON, nested": lambda body, names: _tensors(orjson.loads(body)["inputs"], names),
    "TF rows": lambda body, names: _by_rows(orjson.loads(body)["instances"], names),
    "TF columns": lambda body, _: orjson.loads(body)["inputs"],
    "CSV": lambda body, _: _frame(polars.read_csv(body)),
    "Parquet": lambda body, _: _frame(polars.read_parquet(body)),
}

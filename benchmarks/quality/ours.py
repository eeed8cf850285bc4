"""Our specs with only `model_name`, `data` and a seed: `ours`; and with `"effort": "max"` besides: `ours-max`."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from benchmarks.in_process import resolved_with_table
from benchmarks.quality import cache

# Imported before the runs fork: a method's CPU time is without that.
from service.workflow.encode import raw_inputs
from service.workflow.learn import learn, predict
from service.workflow.split import split as parts_of

METHODS: dict[str, dict[str, Any]] = {"ours": {}, "ours-max": {"effort": "max"}}


def spec(table: str, split: int, more: dict[str, Any]) -> dict[str, Any]:
    """The spec of a table and a split: the split's number is the seed."""
    records = pl.read_parquet(cache.table_file(table)).to_dicts()
    data = {"kind": "rows", "records": records, "target": cache.about(table)["target"]}
    return {"model_name": "m", "data": data, "training": {"seed": split}, **more}


def write_split(table: str, split: int) -> None:
    """Writes the rows of our default split, and the test part's targets: numbers, or codes of the sorted classes."""
    resolved, rows = resolved_with_table(spec(table, split, {}))
    found = parts_of(resolved.spec.split, rows)
    parts = {name: found.part(name).numpy() for name in ("train", "validation", "test")}
    about = cache.about(table)
    targets = pl.read_parquet(cache.table_file(table))[about["target"]].to_numpy()
    if about["task"] != "regression":
        targets = np.unique(targets.astype(str), return_inverse=True)[1]
    cache.split_file(table, split).parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache.split_file(table, split), **parts, truth=targets[parts["test"]])


def fit(method: str, table: str, split: int) -> tuple[NDArray[np.float64], dict[str, float]]:
    """The answers for the test part, and the CPU seconds: of the training alone, and with evaluation, plots' points,
    importance and the like.

    Raises:
        ValueError: the task or the test part is not that of the other methods.
    """
    torch.set_num_threads(1)
    about, test = cache.about(table), np.load(cache.split_file(table, split))["test"]
    stages: dict[str, float] = {}
    resolved, rows = resolved_with_table(spec(table, split, METHODS[method]))
    if resolved.signature.task.value != about["task"]:
        raise ValueError(f"the task is {resolved.signature.task.value}, not {about['task']}")
    began = time.process_time()
    learned = learn(
        resolved.spec,
        resolved.signature,
        rows,
        lambda *_: None,
        stage=lambda name: stages.update({name: time.process_time() - began}),
        folder=Path(),
    )
    whole = time.process_time() - began
    if not np.array_equal(np.sort(learned.split.test.numpy()), np.sort(test)):
        raise ValueError("the test part is not that of the other methods")
    answers = predict(learned.model, raw_inputs(learned.signature.inputs, rows.columns))[torch.from_numpy(test)]
    numbers = answers.double().numpy()
    return _probabilities(numbers, about["task"]), {"cpu_s": stages["evaluate"], "cpu_whole_s": whole}


def _probabilities(answers: NDArray[np.float64], task: str) -> NDArray[np.float64]:
    """Numbers as one axis; of two classes both probabilities."""
    if task == "regression":
        return answers.reshape(-1)
    return np.column_stack([1 - answers, answers]) if answers.ndim == 1 or answers.shape[1] == 1 else answers

"""Our specs with only `model_name`, `data` and a seed: `ours`; and with `"effort": "max"` besides: `ours-max`."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from benchmarks.in_process import resolved_with_table
from benchmarks.quality import cache
from service.workflow.data.data_kind import StoredDataset

# Imported before the runs fork: a method's CPU time is without that.
from service.workflow.encode import raw_inputs
from service.workflow.learn import learn, predict
from service.workflow.signature import Signature
from service.workflow.spec import parse
from service.workflow.split import split as parts_of

METHODS: dict[str, dict[str, Any]] = {"ours": {}, "ours-max": {"effort": "max", "split": {"test": 0}}}
# It divides the rows into folds that have the classes in like shares, and so it would a test part of its own.
WITHOUT_TEST_PART = ("ours-max",)


def spec(table: str, split: int, more: dict[str, Any], rows: NDArray[np.int64] | None = None) -> dict[str, Any]:
    """The spec of a table, or of some of its rows, and a split: the split's number is the seed."""
    frame = pl.read_parquet(cache.table_file(table))
    records = (frame if rows is None else frame[rows]).to_dicts()
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
    about, parts = cache.about(table), np.load(cache.split_file(table, split))
    known = np.concatenate([parts["train"], parts["validation"]]) if method in WITHOUT_TEST_PART else None
    resolved, rows = resolved_with_table(spec(table, split, METHODS[method], known))
    if resolved.signature.task.value != about["task"]:
        raise ValueError(f"the task is {resolved.signature.task.value}, not {about['task']}")
    stages: dict[str, float] = {}
    began = time.process_time()
    learned = learn(
        resolved.spec,
        resolved.signature,
        rows,
        lambda *_: None,
        stage=lambda name: stages.update({name: time.process_time() - began}),
    )
    whole = time.process_time() - began
    if known is None and not np.array_equal(learned.split.test.numpy(), parts["test"]):
        raise ValueError("the test part is not that of the other methods")
    columns = _columns(table, learned.signature)
    answers = predict(learned.model, raw_inputs(learned.signature.inputs, columns))[torch.from_numpy(parts["test"])]
    return _probabilities(answers.double().numpy(), about["task"]), {"cpu_s": stages["evaluate"], "cpu_whole_s": whole}


def _columns(table: str, signature: Signature) -> Mapping[str, Any]:
    """The columns of the whole table that a model reads."""
    data = parse(spec(table, 0, {})).data
    return data.load(lambda _: signature.wanted(), _no_dataset, Path()).table.columns


def _no_dataset(name: str, version: int | None) -> StoredDataset:
    raise LookupError(name)


def _probabilities(answers: NDArray[np.float64], task: str) -> NDArray[np.float64]:
    """Numbers as one axis; of two classes both probabilities."""
    if task == "regression":
        return answers.reshape(-1)
    return np.column_stack([1 - answers, answers]) if answers.ndim == 1 or answers.shape[1] == 1 else answers

"""`benchmarks/run intervals`: how often the truth is in the intervals and sets of the level 0.9, over 100 splits of synthetic
tables of 1,000 rows.

The MLP is trained anew for each split (45 % train, 15 % validation, 20 % calibration, 20 % test): what is shown is the metric
`coverage` of its test part. The default network takes longer: it is trained once, and the 400 rows of its calibration and test
part are divided anew 100 times.
"""

import random
import sys
from collections.abc import Callable
from math import exp, pi, sin
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks.in_process import resolved_with_table
from service.workflow.conformal import conformal, with_coverage
from service.workflow.encode import raw_inputs, raw_targets
from service.workflow.evaluation import Metrics, evaluate
from service.workflow.learn import TrainingResult, learn, predict
from service.workflow.split import Split

ROWS, SPLITS = 1000, 100
SHARES = {"train": 0.45, "validation": 0.15, "calibration": 0.2, "test": 0.2}
MLP = {"model": {"kind": "mlp", "hidden": [32]}, "training": {"epochs": 60}, "optimizer": {"name": "AdamW", "lr": 0.01}}


def friedman(draw: random.Random) -> dict[str, Any]:
    """The first function of Friedman (1991) with noise of one size."""
    x = [draw.random() for _ in range(6)]
    clean = 10 * sin(pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4]
    return _named(x) | {"y": clean + draw.gauss(0, 1)}


def skewed(draw: random.Random) -> dict[str, Any]:
    """A line whose noise is skewed and grows along it."""
    x = [draw.gauss(0, 1) for _ in range(3)]
    return _named(x) | {"y": 3 * x[0] - x[1] + exp(0.5 * x[2]) * (draw.expovariate(1) - 1)}


def classes(draw: random.Random) -> dict[str, Any]:
    """Three classes that overlap."""
    place = draw.randrange(3)
    return _named([draw.gauss(1.5 if at == place else 0, 1) for at in range(5)]) | {"y": "abc"[place]}


def _named(values: list[float]) -> dict[str, Any]:
    return {f"x{at}": value for at, value in enumerate(values)}


TABLES: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "friedman": friedman,
    "skewed noise": skewed,
    "three classes": classes,
}


def records(table: str) -> list[dict[str, Any]]:
    """The rows of a table."""
    draw = random.Random(1)  # noqa: S311 - data of a benchmark
    return [TABLES[table](draw) for _ in range(ROWS)]


def trained_anew(table: str) -> list[Metrics]:
    """The metrics of the test part of 100 trainings."""
    rows, found = records(table), []
    for seed in range(SPLITS):
        found.append(_learned(rows, seed, MLP)[0].evaluation.metrics["test"])
    return found


def divided_anew(table: str) -> list[Metrics]:
    """The same of one training of the default network, whose held out rows are divided 100 times."""
    learned, data = _learned(records(table), 0, {})
    answers = predict(learned.model, raw_inputs(learned.signature.inputs, data.columns))
    targets, kept = raw_targets(learned.signature.outputs, data), learned.split
    held_out, found = torch.cat([kept.calibration, kept.test]), []
    for seed in range(SPLITS):
        order = held_out[torch.randperm(len(held_out), generator=torch.Generator().manual_seed(seed))]
        half = len(order) // 2
        parts = Split(kept.train, kept.validation, order[half:], order[:half])
        scores = conformal(learned.signature, answers, targets, parts)
        evaluated = evaluate(learned.signature, answers, targets, parts)
        found.append(with_coverage(evaluated, scores, learned.signature, answers, targets, parts).metrics["test"])
    return found


def _learned(rows: list[dict[str, Any]], seed: int, parts: dict[str, Any]) -> tuple[TrainingResult, Any]:
    spec = {
        "model_name": "m",
        "data": {"kind": "rows", "records": rows, "target": "y"},
        "split": SHARES | {"seed": seed},
        **parts,
    }
    resolved, table = resolved_with_table(spec)
    return learn(resolved.spec, resolved.signature, table, lambda *_: None), table


def main() -> None:
    """Prints the table as Markdown."""
    torch.set_num_threads(1)
    sys.stdout.write(
        "| table | model | coverage: mean | of one split (sd) | mean width or size |\n|---|---|---|---|---|\n"
    )
    for table in TABLES:
        for model, measured in (("mlp, trained anew", trained_anew), ("default, divided anew", divided_anew)):
            found = measured(table)
            covered = [each["coverage"] or 0.0 for each in found]
            size = mean(each.get("interval_width", each.get("set_size")) or 0.0 for each in found)
            row = [table, model, f"{mean(covered):.1%}", f"{stdev(covered):.1%}", f"{size:.3f}"]
            sys.stdout.write(f"| {' | '.join(row)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

"""`benchmarks/run effort`: what each `effort` makes of the default network on scikit-learn's bundled tables, and its time.

A quarter of the rows, another one for each seed, is kept out of the spec and judges the model. The rest has no test part: each
of five folds of it validates a network of `max`, a fifth of it the others.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

TABLES = ("iris", "wine", "breast_cancer", "diabetes")
HOLDOUT = {"train": 0.8, "validation": 0.2}
EFFORTS: dict[str, dict[str, Any]] = {
    "low": {"effort": "low", "split": HOLDOUT},
    "normal": {"split": HOLDOUT},
    "max": {"effort": "max", "split": {"test": 0}},
}
SEEDS = range(3)
JUDGED = 0.25  # of the rows


def tables(folder: str) -> None:
    """Writes scikit-learn's tables for us."""
    import numpy as np
    from sklearn import datasets

    for table in TABLES:
        x, y = getattr(datasets, f"load_{table}")(return_X_y=True)
        np.savez(Path(folder) / table, x=x, y=y)


def ours(folder: str) -> list[dict[str, Any]]:
    """The figures of each table, effort and seed."""
    import numpy as np
    import torch

    torch.set_num_threads(1)
    found = []
    for table in TABLES:
        arrays = np.load(Path(folder) / f"{table}.npz")
        rows = zip(arrays["x"].tolist(), arrays["y"].tolist(), strict=True)
        records = [{f"x{i}": value for i, value in enumerate(row)} | {"y": target} for row, target in rows]
        for seed in SEEDS:
            order = np.random.default_rng(seed).permutation(len(records)).tolist()
            judged, learned = ([records[at] for at in part] for part in np.split(order, [int(JUDGED * len(order))]))
            for effort, parts in EFFORTS.items():
                data = {"kind": "rows", "records": learned, "target": "y"}
                spec = {"model_name": "m", "data": data, "training": {"seed": seed}, **parts}
                found.append({"table": table, "effort": effort, **_figures(spec, judged)})
    return found


def _figures(spec: dict[str, Any], judged: list[dict[str, Any]]) -> dict[str, Any]:
    """The log loss or R² on the rows that judge, and the seconds of the training."""
    import numpy as np

    from benchmarks.in_process import resolved_with_table
    from service.workflow.data.table import Table
    from service.workflow.encode import raw_inputs, raw_targets
    from service.workflow.evaluation import metrics_of
    from service.workflow.learn import learn, predict

    resolved, table = resolved_with_table(spec)
    began = time.process_time()
    learned = learn(resolved.spec, resolved.signature, table, lambda *_: None)
    seconds = time.process_time() - began
    names = judged[0]
    others = Table({name: np.array([row[name] for row in judged], np.float64) for name in names})
    answers = predict(learned.model, raw_inputs(learned.signature.inputs, others.columns))
    metrics = metrics_of(learned.signature, answers, raw_targets(learned.signature.outputs, others))
    return {"seconds": seconds, "figure": metrics.get("log_loss", metrics.get("r2"))}


def main(ours_python: str, peers_python: str) -> None:
    """Prints the table as Markdown: means over the seeds."""
    with tempfile.TemporaryDirectory() as folder:
        _run(peers_python, "tables", folder)
        found = _run(ours_python, "ours", folder)
    sys.stdout.write("Log loss (lower is better), for diabetes R²; in brackets the seconds of one core.\n\n")
    sys.stdout.write(f"| table | {' | '.join(EFFORTS)} |\n|---|{'---|' * len(EFFORTS)}\n")
    for table in TABLES:
        cells = []
        for effort in EFFORTS:
            runs = [each for each in found if (each["table"], each["effort"]) == (table, effort)]
            figure, seconds = (mean(each[name] for each in runs) for name in ("figure", "seconds"))
            cells.append(f"{figure:.4f} ({seconds:.1f})")
        sys.stdout.write(f"| {table} | {' | '.join(cells)} |\n")


def _run(python: str, which: str, folder: str) -> Any:
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, __file__, which, folder]
    made = subprocess.run(command, capture_output=True, check=True, env=one_thread).stdout  # noqa: S603
    return json.loads(made) if made else None


if __name__ == "__main__":
    if sys.argv[1] == "tables":
        tables(sys.argv[2])
    elif sys.argv[1] == "ours":
        sys.stdout.write(json.dumps(ours(sys.argv[2])))
    else:
        main(*sys.argv[1:3])

"""`benchmarks/run vectorized`: 64 configurations of an MLP, trained together, against one of them trained alone by `learn`.

10,000 rows of 20 numbers, two hidden layers of 64 (the kind's default), 100 epochs of batches of 256 without early stopping; the
configurations differ in learning rate, weight decay and seed. Both are whole: split, preprocessing, training, evaluation. They
alternate in processes of their own, so that other load affects both.
"""

import json
import os
import subprocess
import sys
import time
from statistics import median
from typing import Any

RUNS = int(os.environ.get("RUNS", "3"))
EPOCHS = int(os.environ.get("EPOCHS", "100"))
ROWS, COLUMNS, CONFIGURATIONS = 10_000, 20, 64
GOAL = 15


def measure(which: str, threads: int) -> dict[str, Any]:
    """Seconds of one configuration alone, or of all together, and the last validation losses of the first and the last one."""
    import torch

    from benchmarks.in_process import resolved_with_table
    from service.workflow.learn import learn
    from service.workflow.together import learn_together

    torch.set_num_threads(threads)
    resolved, table = resolved_with_table(_spec())
    specs = _configurations(resolved.spec.to_json())
    if which == "alone":
        began = time.perf_counter()
        ends = []
        for spec in (specs[0], specs[-1]):
            losses: list[float] = []
            learn(spec, resolved.signature, table, lambda _, each, into=losses: into.append(each["validation_loss"]))  # type: ignore[misc]
            ends.append(losses[-1])
        return {"seconds": (time.perf_counter() - began) / 2, "losses": ends}
    began = time.perf_counter()
    found = learn_together(specs, resolved.signature, table, lambda *_: None)
    ends = [found[at].losses[-1]["validation_loss"] for at in (0, -1)]
    return {"seconds": time.perf_counter() - began, "losses": ends}


def _spec() -> dict[str, Any]:
    """A smooth function of some of the columns, with a little noise."""
    import numpy as np

    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, COLUMNS))
    y = x[:, 0] + np.sin(2 * x[:, 1]) + x[:, 2] * x[:, 3] + 0.1 * draw.normal(size=ROWS)
    rows = zip(x.tolist(), y.tolist(), strict=True)
    records = [{f"x{at}": value for at, value in enumerate(row)} | {"y": target} for row, target in rows]
    return {
        "model_name": "m",
        "data": {"kind": "rows", "records": records, "target": "y"},
        "split": {"seed": 0},
        "model": {"kind": "mlp"},
        "training": {"epochs": EPOCHS, "early_stopping": None},
    }


def _configurations(base: dict[str, Any]) -> list[Any]:
    from service.workflow.spec import parse_resolved

    made = []
    for at in range(CONFIGURATIONS):
        own = {"lr": 10 ** (-4 + 2 * at / CONFIGURATIONS), "weight_decay": 0.01 * (at % 4)}
        optimizer, training = base["optimizer"] | own, base["training"] | {"seed": at}
        made.append(parse_resolved(base | {"optimizer": optimizer, "training": training}))
    return made


def main(python: str) -> None:
    """Prints the table as Markdown."""
    sys.stdout.write(
        f"Seconds of {RUNS} runs and their median; the ratio must be ≤ {GOAL} with the threads of the machine. The losses are "
        "the last validation losses of the first and the last configuration, alone and together.\n\n"
        f"| threads | one alone | {CONFIGURATIONS} together | ratio | losses alone | together |\n|---|---|---|---|---|---|\n"
    )
    for threads in sorted({1, os.cpu_count() or 1}):
        runs: dict[str, list[dict[str, Any]]] = {"alone": [], "together": []}
        for _ in range(RUNS):
            for which, found in runs.items():
                command = [python, "-m", "benchmarks.vectorized", which, str(threads)]
                done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
                found.append(json.loads(done.stdout))
        middle = {which: median(each["seconds"] for each in found) for which, found in runs.items()}
        all_runs = {which: ", ".join(f"{each['seconds']:.2f}" for each in found) for which, found in runs.items()}
        seconds = [f"{middle[which]:.2f} ({all_runs[which]})" for which in runs]
        losses = [", ".join(f"{each:.4f}" for each in found[0]["losses"]) for found in runs.values()]
        row = [str(threads), *seconds, f"{middle['together'] / middle['alone']:.1f}", *losses]
        sys.stdout.write(f"| {' | '.join(row)} |\n")


if __name__ == "__main__":
    if sys.argv[1] in ("alone", "together"):
        sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main(sys.argv[1])

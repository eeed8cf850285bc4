"""`benchmarks/run calibration`: log loss and calibration error of the test part without and with the temperature, on
scikit-learn's bundled tables of classes, for the default network and for an MLP with its defaults.

Each network is trained once a seed, on our default split; both rows of the table are of the same weights. A table whose
validation part has fewer than 50 rows (iris, wine) is not calibrated, and not listed. scikit-learn is in an environment of its
own.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

WRITER = Path(__file__).with_name("sklearn_tables.py")
TABLES = ("breast_cancer", "digits")
MLP = {"model": {"kind": "mlp"}}
MODELS: dict[str, dict[str, Any]] = {
    "default": {},
    "mlp": MLP,
    "mlp without early stopping": {**MLP, "training": {"early_stopping": None}},
}
SEEDS = range(3)


def ours(folder: str) -> list[dict[str, Any]]:
    """The figures of each table, model and seed."""
    import numpy as np
    import torch

    torch.set_num_threads(1)
    found = []
    for table in TABLES:
        arrays = np.load(Path(folder) / f"{table}.npz")
        rows = zip(arrays["x"], arrays["y"].tolist(), strict=True)
        records = [{f"x{i}": float(value) for i, value in enumerate(row)} | {"y": target} for row, target in rows]
        data = {"kind": "rows", "records": records, "target": "y"}
        for name, parts in MODELS.items():
            for seed in SEEDS:
                spec = {
                    "model_name": "m",
                    "data": data,
                    **parts,
                    "training": {"seed": seed, **parts.get("training", {})},
                }
                found.append({"table": table, "model": name, **_figures(spec)})
    return found


def _figures(spec: dict[str, Any]) -> dict[str, Any]:
    """The test part's metrics before and after, and the temperature (1 where none was kept)."""
    from benchmarks.in_process import resolved_with_table
    from service.workflow.encode import raw_inputs, raw_targets
    from service.workflow.evaluation import evaluate
    from service.workflow.learn import learn, predict

    resolved, table = resolved_with_table(spec)
    learned = learn(resolved.spec, resolved.signature, table, lambda *_: None)
    learned.model.calibration = None
    answers = predict(learned.model, raw_inputs(learned.signature.inputs, table.columns))
    before = evaluate(learned.signature, answers, raw_targets(learned.signature.outputs, table), learned.split)
    return {
        "temperature": 1.0 if learned.calibration is None else learned.calibration.temperature,
        "before": before.metrics["test"],
        "after": learned.evaluation.metrics["test"],
    }


def main(ours_python: str, peers_python: str) -> None:
    """Prints the table as Markdown: means over the seeds."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([peers_python, WRITER, folder, *TABLES], check=True)  # noqa: S603
        found = _run(ours_python, folder)
    sys.stdout.write("| table | model | kept | temperatures | log loss before | after | ECE before | after |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|---|\n")
    for table in TABLES:
        for model in MODELS:
            runs = [each for each in found if (each["table"], each["model"]) == (table, model)]
            kept = [each["temperature"] for each in runs if each["temperature"] != 1]
            spread = f"{min(kept):.2f} to {max(kept):.2f}" if kept else "–"
            figures = [
                f"{mean(each[when][name] for each in runs):.4f}"
                for name in ("log_loss", "ece")
                for when in ("before", "after")
            ]
            row = [table, model, f"{len(kept)} of {len(runs)}", spread, *figures]
            sys.stdout.write(f"| {' | '.join(row)} |\n")


def _run(python: str, folder: str) -> Any:
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, __file__, "ours", folder]
    return json.loads(subprocess.run(command, capture_output=True, check=True, env=one_thread).stdout)  # noqa: S603


if __name__ == "__main__":
    if sys.argv[1] == "ours":
        sys.stdout.write(json.dumps(ours(sys.argv[2])))
    else:
        main(*sys.argv[1:3])

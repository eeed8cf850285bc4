"""`benchmarks/run quality`: a spec that names only its data, on scikit-learn's bundled tables, beside the defaults of its
HistGradientBoosting and MLP.

Everyone learns from the same rows: 0.7 of the table, shuffled by the seed. Ours stops on the 0.15 of the validation part,
which the peers' second line may learn from as well. Score: accuracy, R² for diabetes, on the last 0.15.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

TABLES = ("iris", "wine", "breast_cancer", "diabetes", "digits")
SEEDS = range(int(os.environ.get("SEEDS", "5")))
WITHIN = 0.01  # of the best peer's score


def rows_of(count: int, seed: int) -> list[Any]:
    """Train, validation and test rows, as our split cuts them."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(count)
    return np.split(order, [round(count * 0.7), round(count * 0.85)])


def peers(folder: str) -> dict[str, dict[str, float]]:
    """Writes the tables for us; the mean scores of the peers on each."""
    import warnings

    import numpy as np
    from sklearn import datasets
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore")
    found: dict[str, dict[str, float]] = {}
    for table in TABLES:
        x, y = getattr(datasets, f"load_{table}")(return_X_y=True)
        np.savez(Path(folder) / table, x=x, y=y)
        regression = table == "diabetes"
        boosting = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        network = MLPRegressor if regression else MLPClassifier
        contenders = {
            "HistGradientBoosting": lambda seed, of=boosting: of(random_state=seed),
            "MLP": lambda seed, of=network: of(random_state=seed),
            "MLP behind StandardScaler": lambda seed, of=network: make_pipeline(
                StandardScaler(), of(random_state=seed)
            ),
        }
        scores: dict[str, list[float]] = {}
        for seed in SEEDS:
            train, validation, test = rows_of(len(x), seed)
            for name, make in contenders.items():
                for rows, suffix in ((train, ""), (np.concatenate([train, validation]), ", with the validation rows")):
                    scores.setdefault(name + suffix, []).append(
                        make(seed).fit(x[rows], y[rows]).score(x[test], y[test])
                    )
        found[table] = {name: mean(each) for name, each in scores.items()}
    return found


def ours(folder: str) -> dict[str, float]:
    """Our mean score on each table, by a spec that names the data, the rows of each part and the seed, and nothing else."""
    import numpy as np
    import torch

    from service.workflow.data.rows import RowsData
    from service.workflow.learn import learn
    from service.workflow.resolve import resolve
    from service.workflow.spec import parse
    from service.workflow.split import columns

    torch.set_num_threads(1)
    found = {}
    for table in TABLES:
        arrays = np.load(Path(folder) / f"{table}.npz")
        x, y = arrays["x"], arrays["y"]
        scores = []
        for seed in SEEDS:
            parts = np.empty(len(x), dtype=object)
            for name, rows in zip(("train", "validation", "test"), rows_of(len(x), seed), strict=True):
                parts[rows] = name
            records = [
                {f"x{i}": float(value) for i, value in enumerate(row)} | {"y": target, "part": part}
                for row, target, part in zip(x, y.tolist(), parts, strict=True)
            ]
            data = {"kind": "rows", "records": records, "target": "y"}
            data |= {"task": "regression"} if table == "diabetes" else {}  # 214 different whole numbers: inferred, too
            spec = parse({"model_name": table, "data": data, "split": {"column": "part"}, "training": {"seed": seed}})
            assert isinstance(spec.data, RowsData)  # noqa: S101 - as written above
            schema = spec.data.schema_of_table()
            resolved = resolve(spec, schema)
            wanted = columns(resolved.spec.split, schema) | resolved.signature.wanted()  # type: ignore[arg-type] # resolved
            learned = learn(resolved.spec, resolved.signature, spec.data.load(wanted), lambda *_: None)
            test = learned.evaluation.metrics["test"]
            scores.append(test["r2"] if table == "diabetes" else test["accuracy"])
        found[table] = mean(score or 0.0 for score in scores)
    return found


def main(ours_python: str, peers_python: str) -> None:
    """Prints the table as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        theirs = _run(peers_python, "peers", folder)
        mine = _run(ours_python, "ours", folder)
    sys.stdout.write(
        f"Mean test scores of {len(SEEDS)} seeds.\n\n| table | contender | score | ours − score | must hold |\n"
    )
    sys.stdout.write("|---|---|---|---|---|\n")
    for table in TABLES:
        sys.stdout.write(f"| {table} | **ours** | **{mine[table]:.4f}** | | |\n")
        for name, score in theirs[table].items():
            goal = "" if "validation" in name else f"≥ −{WITHIN}"
            sys.stdout.write(f"| {table} | {name} | {score:.4f} | {mine[table] - score:+.4f} | {goal} |\n")


def _run(python: str, which: str, folder: str) -> Any:
    command = [python, __file__, which, folder]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)  # noqa: S603


if __name__ == "__main__":
    if sys.argv[1] in ("ours", "peers"):
        sys.stdout.write(json.dumps({"ours": ours, "peers": peers}[sys.argv[1]](sys.argv[2])))
    else:
        main(*sys.argv[1:3])

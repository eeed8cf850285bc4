"""`benchmarks/run training`: our training loop beside the textbook's, Lightning's, skorch's and scikit-learn's.

Contenders alternate, each in a process of its own, so that other load affects all of them; only ratios of medians count.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
RUNS = int(os.environ.get("RUNS", "5"))
THREADS = os.environ.get("THREADS", "1")
# Work: our contender, then its peers with the ratio of their seconds to ours that we must reach.
WORK = {
    "the tutorial's line, 1000 full-batch epochs": ("line_ours", {"line_textbook": 1.4}),
    "100k × 20, 3×128 MLP, Adam, batch 256, 3 epochs": (
        "table_ours",
        {"table_dataloader": 1.9, "table_lightning": 1.0, "table_skorch": 1.0, "table_sklearn": 1.0},
    ),
    "50k × 100, 2×512 MLP, batch 1024, 3 epochs": ("wide_ours", {"wide_gemms": 0.7}),
}


def measure(python: str, contender: str) -> dict[str, float]:
    """One run of one contender."""
    command = [python, str(HERE / "contenders.py"), contender, THREADS]
    environment = os.environ | {"OMP_NUM_THREADS": THREADS, "OPENBLAS_NUM_THREADS": THREADS, "MKL_NUM_THREADS": THREADS}
    done = subprocess.run(command, capture_output=True, check=True, env=environment, cwd=HERE.parent)  # noqa: S603
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main(ours_python: str, peers_python: str) -> None:
    """Prints the table as Markdown."""
    lines = ["| work | contender | median seconds | seconds of all runs | ratio to ours | must reach | test MSE |"]
    lines.append("|---|---|---|---|---|---|---|")
    for work, (ours, peers) in WORK.items():
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in (ours, *peers)}
        for _ in range(RUNS):
            for name in runs:
                runs[name].append(measure(ours_python if name == ours else peers_python, name))
        base = median(each["seconds"] for each in runs[ours])
        for name, measured in runs.items():
            seconds = [each["seconds"] for each in measured]
            error = f"{median(each['mse'] for each in measured):.4f}" if "mse" in measured[0] else ""
            ratio, goal = ("1", "") if name == ours else (f"{median(seconds) / base:.2f}", f"≥ {peers[name]}")
            shown = " ".join(f"{each:.3f}" for each in seconds)
            lines.append(f"| {work} | {name} | {median(seconds):.3f} | {shown} | {ratio} | {goal} | {error} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])

"""`benchmarks/run quality`: the default network beside the defaults of boosting, RealMLP-TD and linear models, on 30 tables that
were not used to choose its design (`tables.py` has the rule, `peers.py` what the peers learn from).

Computes what is not in the cache (`cache.py`), split by split, and prints the tables (`report.py`). Ended at any moment, it goes
on there the next time. `SPLITS` (3) and `HOURS` (6: no run begins later) are environment variables.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.quality import cache
from benchmarks.quality.report import report

PEERS = Path(__file__).resolve().parent.parent / ".venv-quality" / "bin" / "python"
METHODS = (
    (PEERS, "linear,LightGBM,HistGradientBoosting,XGBoost,CatBoost"),
    (Path(sys.executable), "ours,ours-max"),
    (PEERS, "RealMLP-TD"),
)


def main() -> None:
    """Runs the methods, and prints the report."""
    splits = int(os.environ.get("SPLITS", "3"))
    until = time.time() + 3600 * float(os.environ.get("HOURS", "6"))
    (cache.FOLDER / "tables").mkdir(parents=True, exist_ok=True)
    _module(PEERS, "tables", str(cache.FOLDER / "tables"))
    _module(Path(sys.executable), "splits", str(splits))
    for split in range(splits):
        for python, methods in METHODS:
            _module(python, "run", str(split), methods, "--until", str(until))
    sys.stdout.write(report())


def _module(python: Path, name: str, *arguments: str) -> None:
    command = [str(python), "-W", "ignore", "-m", f"benchmarks.quality.{name}", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603


if __name__ == "__main__":
    main()

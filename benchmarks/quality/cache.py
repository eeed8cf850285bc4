"""The folder of results: `QUALITY_CACHE`, or else `benchmarks/.quality-cache`. What is in it is not computed again.

`results.jsonl` has a line for each (table, split, method), the last of equal ones counts; `predictions/` the answers for the test
part; `tables/` the tables; `splits/` the rows of each part. A run that failed has `failed` in its line, and no figures; it is not
tried again until that line is removed.
"""

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("QUALITY_CACHE", Path(__file__).resolve().parent.parent / ".quality-cache"))
Key = tuple[str, int, str]


def results() -> dict[Key, dict[str, Any]]:
    """The lines by table, split and method."""
    file = FOLDER / "results.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {(each["table"], each["split"], each["method"]): each for each in map(json.loads, lines)}


def record(line: dict[str, Any]) -> None:
    """Appends a line in one write, so that several processes may record."""
    with (FOLDER / "results.jsonl").open("ab", buffering=0) as file:
        file.write((json.dumps(line) + "\n").encode())


def table_file(table: str) -> Path:
    """The table as Parquet."""
    return FOLDER / "tables" / f"{table}.parquet"


def about(table: str) -> dict[str, Any]:
    """The table's target, task, rows and features."""
    found: dict[str, Any] = json.loads(table_file(table).with_suffix(".json").read_text(encoding="utf-8"))
    return found


def split_file(table: str, split: int) -> Path:
    """The rows of the parts `train`, `validation` and `test`, and `truth`: the targets of the test part."""
    return FOLDER / "splits" / f"{table}-{split}.npz"


def predictions_file(table: str, split: int, method: str) -> Path:
    """The answers for the test part, in the order of its rows."""
    return FOLDER / "predictions" / f"{table}-{split}-{method}.npz"

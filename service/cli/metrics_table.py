"""The metrics of a version as a table: a row a metric, a column a part of the data."""

from typing import Any

from service.cli.printing import cell, line, table

PARTS = ("live", "train", "validation", "test", "baseline")


def metrics_table(metrics: dict[str, dict[str, Any]]) -> None:
    """Prints metrics; `live` are those of predictions whose truth is known,
    `baseline` those of the constant prediction on the test rows."""
    parts = [part for part in PARTS if metrics.get(part)]
    names = list(dict.fromkeys(name for part in parts for name in metrics[part]))
    table(
        ({"metric": name, **{part: _rounded(metrics[part].get(name)) for part in parts}} for name in names),
        ["metric", *parts],
        False,
    )


def worst_group(slices: dict[str, Any] | None) -> None:
    """Prints which group of rows is worst, if it is worse than the others beyond chance."""
    worst = (slices or {}).get("worst")
    if slices is None or worst is None or not worst["beyond_chance"]:
        return
    ours, others = _rounded(worst["of_group"]), _rounded(worst["of_others"])
    where = f"the {worst['rows']} {slices['part']} rows where {cell(worst['column'])} is {_group(worst)}"
    line(f"Worst group: {where}: {slices['metric']} {ours}, of the others {others}")


def spread_of_folds(folds: dict[str, Any] | None) -> None:
    """Prints the mean and the standard deviation of each metric over the folds of a training in folds."""
    if folds is not None:
        spreads = ((cell(name), each) for name, each in folds["metrics"].items() if each is not None)
        listed = ", ".join(f"{name} {_rounded(each['mean'])} ± {each['std']:.2g}" for name, each in spreads)
        line(f"Out of {len(folds['folds'])} folds: {listed}")


def _group(group: dict[str, Any]) -> str:
    if group.get("missing"):
        return "missing"
    if "low" in group:
        return f"{cell(group['low'])} to {cell(group['high'])}"
    return cell(group.get("value"))


def _rounded(value: Any) -> Any:
    """Four digits are enough to compare by eye; --json has all of them."""
    return f"{value:.4g}" if isinstance(value, float) else value

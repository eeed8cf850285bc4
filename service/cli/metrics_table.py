"""The metrics of a version as a table: a row a metric, a column a part of the data."""

from typing import Any

from service.cli.printing import table

PARTS = ("train", "validation", "test", "baseline")


def metrics_table(metrics: dict[str, dict[str, Any]]) -> None:
    """Prints metrics; `baseline` are those of the constant prediction on the test rows."""
    parts = [part for part in PARTS if metrics.get(part)]
    names = list(dict.fromkeys(name for part in parts for name in metrics[part]))
    table(
        ({"metric": name, **{part: _rounded(metrics[part].get(name)) for part in parts}} for name in names),
        ["metric", *parts],
        False,
    )


def _rounded(value: Any) -> Any:
    """Four digits are enough to compare by eye; --json has all of them."""
    return f"{value:.4g}" if isinstance(value, float) else value

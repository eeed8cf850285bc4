"""Rows of two models, in every kind of data that people have."""

from pathlib import Path
from typing import Any

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
IRIS = Path(__file__).parents[2] / "examples" / "iris.csv"


def as_records(rows: list[list[float]]) -> list[dict[str, Any]]:
    """Rows as dictionaries."""
    return [dict(zip(NAMES, row, strict=True)) for row in rows]

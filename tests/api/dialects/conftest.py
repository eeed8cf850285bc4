"""Models for every kind of output."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import train

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]


def table(records: list[dict[str, Any]], target: str | list[str]) -> dict[str, Any]:
    """A spec of a small network on a few rows, with no epochs: its predictions are arbitrary but reproducible."""
    return {
        "data": {"kind": "rows", "records": records, "target": target},
        "split": {"train": 0.8, "test": 0.2},
        "model": {"kind": "mlp", "hidden": [4]},
        "loss": {"name": "MSELoss"},
        "training": {"epochs": 0, "seed": 1},
    }


def rows(**columns: Any) -> list[dict[str, Any]]:
    """Twelve rows; each column is a function of the row's number."""
    return [{name: value(i) for name, value in columns.items()} for i in range(12)]


@pytest.fixture(scope="session")
def models(http: httpx.Client, line: dict[str, Any]) -> dict[str, str]:
    """The names of models by kind of output. Each has two inputs, `a` and `b`; `line` has one number in and out."""
    numbers = {"a": float, "b": lambda i: i % 5 / 2}
    classes = {"loss": {"name": "CrossEntropyLoss"}}
    specs = {
        "two": table(rows(**numbers, y=lambda i: 2.5 * i, z=lambda i: -i / 2), ["y", "z"]),
        "texts": table(rows(**numbers, y=lambda i: "red" if i % 2 else "blue"), "y") | classes,
        "integers": table(rows(**numbers, y=lambda i: 10 * (i % 3)), "y") | classes,
        "truths": table(rows(**numbers, y=lambda i: i % 2 == 0), "y") | {"loss": {"name": "BCEWithLogitsLoss"}},
        "labels": table(rows(**numbers, y=lambda i: i % 2 == 0, z=lambda i: i % 3 == 0), ["y", "z"])
        | {"loss": {"name": "BCEWithLogitsLoss"}},
        "mixed": table(
            rows(a=lambda i: "left" if i % 3 else "right", b=lambda i: i % 2 == 0, y=lambda i: 1.5 * i), "y"
        ),
    }
    for kind, spec in specs.items():
        train(http, f"dialect-{kind}", **spec)
    return {kind: f"dialect-{kind}" for kind in specs} | {"line": "line"}

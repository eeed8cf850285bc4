"""The trainings of a campaign: specs that together use everything that a resumed training must restore."""

import csv
import io
from typing import Any

from tests.harness.line import line
from tests.workflow.learning import houses, spec

HOUSES = "houses"
NETWORK = {"kind": "mlp", "hidden": [16, 8], "dropout": 0.2, "normalization": "BatchNorm1d"}
STOPPING = {"patience": 30, "min_delta": 0.001}
ADAM = {"name": "Adam", "lr": 0.005}

# At most 10,000 epochs, beyond which a series is thinned: every epoch can be checked.
RECIPES: dict[str, dict[str, Any]] = {
    "line": line(300),
    "long-line": line(8_000),
    "dropout": spec("price", model=NETWORK, optimizer=ADAM, training={"epochs": 400, "batch_size": 16}),
    "average": spec(
        "price",
        model=NETWORK,
        optimizer={"name": "SGD", "lr": 0.01, "momentum": 0.9},
        training={"epochs": 300, "batch_size": 16, "ema": {"decay": 0.99}, "early_stopping": STOPPING},
    ),
    "table": {
        "data": {"kind": "dataset", "dataset": HOUSES, "target": "kind"},
        "model": {"kind": "mlp", "hidden": [32], "dropout": 0.1},
        "training": {"epochs": 200, "batch_size": 32, "seed": 3, "early_stopping": STOPPING},
    },
    # Large tensors: its checkpoints and publishing take long enough to be hit.
    "wide": spec("price", model={"kind": "mlp", "hidden": [768, 512], "dropout": 0.1}, training={"epochs": 40}),
}


def table() -> bytes:
    """The data set of one of them."""
    rows, target = houses(), io.StringIO()
    writer = csv.DictWriter(target, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()


def rows_for(recipe: str) -> list[dict[str, Any]]:
    """Instances for predictions of its model."""
    if "line" in recipe:
        return [{"x": 0.1}, {"x": 0.9}]
    target = RECIPES[recipe]["data"]["target"]
    wanted = set(RECIPES[recipe]["data"].get("features", houses(1)[0])) - {target}
    return [{name: value for name, value in row.items() if name in wanted} for row in houses(3)]

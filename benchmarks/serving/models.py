"""Our models that are measured: their specs and sizes."""

from itertools import pairwise

import numpy as np


def spec(name: str, hidden: list[int], seed: int) -> dict[str, object]:
    """8 columns → these layers → one number, on a few generated rows."""
    drawn = np.random.default_rng(seed).standard_normal((20, 9)).round(3).tolist()
    records = [{**{f"x{i}": row[i] for i in range(8)}, "y": row[8]} for row in drawn]
    return {
        "model_name": name,
        "data": {"kind": "rows", "records": records, "target": "y"},
        "model": {"kind": "mlp", "hidden": hidden},
        "training": {"epochs": 0, "seed": seed},
    }


def weights(hidden: list[int]) -> int:
    """Bytes of the weights of such a model."""
    widths = [8, *hidden, 1]
    return 4 * sum(a * b + b for a, b in pairwise(widths))

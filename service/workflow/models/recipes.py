"""How kinds for images, texts and sequences are trained when the spec does not say: AdamW on one cycle of the learning rate
(Smith, Topin: "Super-convergence", arXiv 1708.07120), for a number of epochs that follows from the rows and their shapes."""

import math
from typing import Any

BUDGET = 60_000_000  # rows × work of a row × epochs: about 90 s of one core
FEWEST, MOST = 5, 40  # epochs
FEWEST_STEPS = 400  # of the optimizer, of a small data set
SMALLEST_BATCH, LARGEST_BATCH = 32, 128


def one_cycle(rows: int, work: int, rate: float, weight_decay: float) -> dict[str, Any]:
    """Training defaults.

    `batch_size` is the power of two below rows / 32, within 32 … 128; `epochs` 60,000,000 / (rows × work), within 5 … 40, or as
    many more as make 400 steps, if that is within the same budget. There is no early stopping: the weights are best where the
    learning rate has come down.

    Args:
        rows: of the training part, at least 1.
        work: of a row, in pixels of an image that the first convolution of a `cnn` sees.
        rate: the largest learning rate.
        weight_decay: of AdamW.
    """
    size = min(2 ** min(max(int(math.log2(max(rows, 32) / 32)), 5), 7), rows)
    affordable = BUDGET // (rows * max(1, work))
    enough = FEWEST_STEPS // math.ceil(rows / size)
    return {
        "epochs": min(max(affordable, FEWEST), max(MOST, enough)),
        "batch_size": size,
        "early_stopping": None,
        "optimizer": {"name": "AdamW", "lr": rate, "weight_decay": weight_decay},
        "scheduler": {"name": "OneCycleLR", "max_lr": rate, "interval": "step"},
    }

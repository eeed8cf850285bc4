"""The figures of answers for the test part."""

import numpy as np
from numpy.typing import NDArray

LEAST = float(
    np.finfo(np.float32).eps
)  # some methods answer in float32: no probability is taken to be nearer to 0 than this


def scores(task: str, truth: NDArray[np.generic], answers: NDArray[np.float64]) -> dict[str, float]:
    """R² of numbers; log loss in nats, and accuracy, of probabilities (rows × classes in sorted order).

    Raises:
        ValueError: an answer is no finite number.
    """
    if not np.isfinite(answers).all():
        raise ValueError("an answer is no finite number")
    if task == "regression":
        numbers = truth.astype(np.float64)
        return {"r2": float(1 - ((numbers - answers) ** 2).mean() / numbers.var())}
    codes = truth.astype(np.int64)
    clipped = np.clip(answers, LEAST, 1)
    chosen = (clipped / clipped.sum(1, keepdims=True))[np.arange(len(codes)), codes]
    return {"log_loss": float(-np.log(chosen).mean()), "accuracy": float((answers.argmax(1) == codes).mean())}

"""A model's answers as a table: one column for each number, with null for unknown values."""

from typing import TYPE_CHECKING

import numpy as np

from service.serving.forward import Array
from service.workflow.data.types.category import as_text
from service.workflow.decision import decide_array
from service.workflow.signature import Signature
from service.workflow.tasks import LABEL_THRESHOLD, Task

if TYPE_CHECKING:
    import polars as pl


def answers_frame(signature: Signature, answers: Array) -> "pl.DataFrame":
    """Answers [n, outputs]: a column for each target by its name; for classes `label` and `probability_<class>` for each;
    for several labels `label_<name>` and `probability_<name>` for each."""
    import polars as pl

    known = np.isfinite(answers)
    if signature.classifies:
        names = [f"probability_{as_text(label)}" for label in signature.classes]
        labels = pl.Series("label", signature.classes)
        best = pl.Series(np.where(known.all(axis=1), decide_array(signature, answers), -1))
        label = labels.gather(best.replace(-1, None))
        known = np.broadcast_to(known.all(axis=1, keepdims=True), answers.shape)
        columns = [label.alias("label")]
    else:
        names, columns = [each.name for each in signature.outputs], []
    numbers = np.where(known, answers, np.nan)
    # In the dtype of each: the answers are all float64 if one of them is. Probabilities are float32.
    dtypes = ["float32"] * len(names) if signature.classifies else [of.dtype or "float32" for of in signature.outputs]
    series = [
        pl.Series(name, np.ascontiguousarray(numbers[:, at], dtype)).fill_nan(None)
        for at, (name, dtype) in enumerate(zip(names, dtypes, strict=True))
    ]
    if signature.task is Task.MULTILABEL:
        columns = [(each > LABEL_THRESHOLD).alias(f"label_{each.name}") for each in series]
        series = [each.alias(f"probability_{each.name}") for each in series]
    return pl.DataFrame([*columns, *series])

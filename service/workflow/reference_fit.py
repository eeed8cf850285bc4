"""Makes the reference of a trained model."""

import numpy as np
from torch import Tensor

from service.workflow.binning import Binning, Numbers, answer_columns, codes_of, table_columns
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.input_tensors import Tensors
from service.workflow.models.input_shapes import FEATURES
from service.workflow.reference import MOST_BINS, MOST_INPUTS, ColumnReference, Reference
from service.workflow.signature import Signature
from service.workflow.split import Split

FEWEST_OF_A_BIN = 10  # rows of the reference: with fewer its share would say little
MOST_ROWS = 65_536  # of the reference: many more than a window needs, and counted in well under a second
QUANTILE_BINS = MOST_BINS - 2  # beside those below and above all numbers of the reference


def reference_of(signature: Signature, features: Tensors, answers: Tensor, parts: Split) -> Reference:
    """The reference: inputs by the training part, answers by the validation part, or the training part if that has no rows.

    Args:
        signature: of the model, after its inputs were fitted.
        features: raw, of all rows.
        answers: to all rows, [n, k].
        parts: the rows of each part.
    """
    table = features if isinstance(features, Tensor) else features.get(FEATURES)
    train, part = _some(parts.train.numpy()), "validation" if len(parts.validation) else "train"
    raw = None if table is None else table.numpy()[train]
    ours = answers.numpy()[_some(parts.validation.numpy()) if len(parts.validation) else train]
    inputs = [] if raw is None else _inputs(signature, raw)
    counted = answer_columns(signature, ours)
    outputs = [
        _column(each.name, column, codes_of(signature, each))
        for each, column in zip(signature.outputs[:MOST_INPUTS], counted, strict=False)
    ]
    about = {"answers_part": part, "left_out": len(signature.inputs) - len(inputs)}
    return Reference.model_validate({"inputs": inputs, "answers": outputs, **about})


def _some(rows: Numbers) -> Numbers:
    """The rows, or `MOST_ROWS` of them, drawn without replacement by a fixed seed."""
    if len(rows) <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))


def _inputs(signature: Signature, raw: Numbers) -> list[ColumnReference]:
    known = {each.name: each for each in signature.inputs}
    return [
        _column(
            name, raw[:, at], len(known[name].categories or []) if COLUMN_TYPES[known[name].type].categorical else None
        )
        for name, at in [*table_columns(signature).items()][:MOST_INPUTS]
    ]


def _column(name: str, values: Numbers, codes: int | None) -> ColumnReference:
    """The reference of one column, with its rows counted as a prediction's are.

    Args:
        name: of the column.
        values: [n], NaN for a missing one; codes from 1, and 0 for an unknown one, if `codes` is set.
        codes: how many there are; None for a number.
    """
    present = values[~np.isnan(values)]
    bounds: list[float] | list[int] = _edges(present) if codes is None else _most_frequent(present, codes)
    about = {"name": name, "edges" if codes is None else "codes": bounds, "counts": [0] * (len(bounds) + 1)}
    empty = ColumnReference.model_validate(about)
    cells = Binning.of_column(empty, values)
    return empty.model_copy(update={"counts": cells[:-2], "missing": cells[-2], "unknown": cells[-1]})


def _edges(present: Numbers) -> list[float]:
    """Edges of a bin below all numbers, of quantile bins, and of one above all. A bin has `FEWEST_OF_A_BIN` rows or more, unless
    the numbers themselves are few."""
    finite = present[np.isfinite(present)]
    if not len(finite):
        return []
    bins = max(1, min(QUANTILE_BINS, len(finite) // FEWEST_OF_A_BIN))
    levels = np.arange(1, bins + 1) / bins
    # Numbers of the column: between two large ones an interpolation could overflow.
    quantiles = np.quantile(finite, levels, method="inverted_cdf")
    with np.errstate(over="ignore"):  # below the smallest float there is none
        below = np.nextafter(finite.min(), finite.dtype.type(-np.inf))
    edges = np.unique([below, *quantiles]).astype(np.float64)
    return [float(each) for each in edges if np.isfinite(each)]


def _most_frequent(present: Numbers, codes: int) -> list[int]:
    """The codes that have a bin of their own: all of them if they are few."""
    counts = np.bincount(present.astype(np.intp), minlength=codes + 1)[1:]
    ranked = np.argsort(-counts, kind="stable")[: MOST_BINS - 1]
    return sorted(int(each) + 1 for each in ranked)

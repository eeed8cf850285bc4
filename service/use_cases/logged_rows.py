"""The rows of the log of predictions as a table: one row for each row of a request."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from service.serving.prediction_record import AnsweredRows
from service.workflow.data.types.category import as_text
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.decision import decide_array
from service.workflow.encode import raw_dtype, table_inputs
from service.workflow.signature import Signature

if TYPE_CHECKING:
    import polars as pl


class Logged(NamedTuple):
    """Some answered rows, and when they were answered, in seconds since 1970."""

    at: float
    rows: AnsweredRows


def frame_of(logged: Sequence[Logged]) -> "pl.DataFrame":
    """The rows of one version as a table.

    Its columns are `request_id`, `row` (the position in the request, from 0), `at` (UTC), `model`, `version`, `inputs` (a struct
    with each input that is a column of a table), `answer` (a list: the target's numbers, or the probabilities of the classes or
    labels in the signature's order), and for classes `label`.
    """
    import polars as pl

    signature, version = logged[0].rows.signature, logged[0].rows.version
    counts = [len(each.rows.answers) for each in logged]
    answers = np.concatenate([each.rows.answers for each in logged])
    times = [datetime.fromtimestamp(each.at, UTC) for each in logged]
    columns: dict[str, Any] = {
        "request_id": np.repeat(np.array([each.rows.request_id for each in logged], object), counts).tolist(),
        "row": pl.Series(np.concatenate([_positions(each.rows) for each in logged]), dtype=pl.Int64),
        "at": pl.Series(np.repeat(np.array(times, object), counts).tolist(), dtype=pl.Datetime("us", "UTC")),
        "model": [version.name] * len(answers),
        "version": pl.Series([version.number] * len(answers), dtype=pl.Int64),
    }
    if (inputs := _inputs(signature, [each.rows for each in logged])) is not None:
        columns["inputs"] = inputs
    columns["answer"] = pl.Series(answers).arr.to_list()
    if signature.classifies:
        columns["label"] = _labels(signature, answers)
    return pl.DataFrame(columns)


def _positions(rows: AnsweredRows) -> "np.ndarray[Any, Any]":
    return np.arange(rows.first, rows.first + len(rows.answers))


def _inputs(signature: Signature, parts: Sequence[AnsweredRows]) -> "pl.Series | None":
    """The inputs that are columns of a table as a struct; None if there are none."""
    import polars as pl

    of_table = table_inputs(signature.inputs)
    if not of_table:
        return None
    dtype = raw_dtype(of_table)
    raw = np.concatenate(
        [each.raw.numpy() if isinstance(each.raw, Tensor) else np.array(each.raw, dtype) for each in parts]
    )
    fields, start = list[pl.Series](), 0
    for each in of_table:
        kind = COLUMN_TYPES[each.type]
        columns = [raw[:, at] for at in range(start, start + kind.raw_columns)]
        fields.append(kind.decoded(columns, each.categories).alias(each.name))
        start += kind.raw_columns
    return pl.DataFrame(fields).to_struct("inputs")


def _labels(signature: Signature, answers: "np.ndarray[Any, Any]") -> "pl.Series":
    """The class that is the answer to each row as a text; null where the probabilities are not finite."""
    import polars as pl

    classes = [as_text(each) for each in signature.classes]
    known = np.isfinite(answers).all(axis=1).tolist()
    best = decide_array(signature, answers).tolist()
    return pl.Series([classes[at] if sure else None for at, sure in zip(best, known, strict=True)], dtype=pl.String)

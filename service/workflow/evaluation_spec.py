"""What a spec says about the evaluation: the columns by whose values the metrics are told apart."""

from typing import Annotated

from pydantic import Field

from service.workflow.data.schema import Schema
from service.workflow.data.table import RequestedColumn
from service.workflow.data.types.names import ListedName
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import invalid
from service.workflow.spec_base import SpecBase, nearest, shown

MOST_NAMED = 20


class EvaluationSpec(SpecBase):
    """Columns of the data, also such that are no features, by whose values the metrics are told apart."""

    by: Annotated[list[ListedName], Field(max_length=MOST_NAMED)] = Field(
        default=[], description="columns by whose values the metrics are told apart, beside those of the features"
    )


def check_evaluation(spec: EvaluationSpec | None, schema: Schema, features: frozenset[str]) -> None:
    """Checks that there are groups of rows by each of the columns.

    Args:
        features: the names of the model's inputs.

    Raises:
        InvalidSpec: there is no such column, it is named twice, or its values make no groups.
    """
    for position, name in enumerate(_named(spec)):
        at, column = f"/evaluation/by/{position}", schema.column(name)
        if column is None:
            raise invalid(at, f"there is no column {shown(name)}; {nearest(name, schema.names)}")
        if name in _named(spec)[:position]:
            raise invalid(at, f"{shown(name)} is named twice")
        kind = COLUMN_TYPES.get(column.type)
        if kind is None:
            raise invalid(at, f"{shown(name)} {column.reason}; groups need texts, booleans, numbers or times")
        if kind.shaped:
            raise invalid(at, f"{shown(name)} is a {column.type}; groups need texts, booleans, numbers or times")
        if kind.chart_type == "T" and name not in features:
            message = f"{shown(name)} holds times, by which there are groups only if it is a feature"
            raise invalid(at, f"{message}; name it in data.features, or a column of texts, booleans or numbers here")


def columns(spec: EvaluationSpec | None, schema: Schema) -> dict[str, RequestedColumn]:
    """The named columns, and how they are read unless the model or the split reads them: numbers as numbers, all else as texts,
    so that groups have the words of the data."""
    made = {}
    for name in _named(spec):
        column = schema.column(name)
        kind = None if column is None else COLUMN_TYPES.get(column.type)
        made[name] = RequestedColumn("number" if kind is not None and kind.numeric else "category")
    return made


def _named(spec: EvaluationSpec | None) -> list[str]:
    return [] if spec is None else spec.by

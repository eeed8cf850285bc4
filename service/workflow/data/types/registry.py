"""The types that columns can have, by name."""

from service.workflow.data.types.boolean import Boolean
from service.workflow.data.types.category import Category
from service.workflow.data.types.column_type import ColumnType
from service.workflow.data.types.datetime import Datetime
from service.workflow.data.types.image import Image
from service.workflow.data.types.number import Number
from service.workflow.data.types.tensor import TensorType
from service.workflow.data.types.text import Text
from service.workflow.data.types.video import Video

COLUMN_TYPES: dict[str, ColumnType] = {
    each.name: each
    for each in (
        Number(),
        Category(),
        Boolean(),
        Datetime(),
        Image(),
        Text(),
        Video(),
        TensorType(),
    )
}


def by_precedence() -> list[ColumnType]:
    """All types in the order in which they are tried on a column. The last one fits any column."""
    return sorted(COLUMN_TYPES.values(), key=lambda each: each.precedence)

"""The names of the column types, and what a column's name may be."""

from typing import Annotated, Literal

from pydantic import Field

from service.workflow.spec_base import COUNTED

ColumnType = Literal["number", "category", "boolean", "datetime"]
Scalar = bool | int | float | str
LONGEST_NAME = 256
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
ListedName = Annotated[Name, COUNTED]

"""The names of column types, and of columns."""

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from service.workflow.spec_base import COUNTED

Scalar = bool | int | float | str
LONGEST_NAME = 256
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
ListedName = Annotated[Name, COUNTED]


def type_names() -> list[str]:
    """The names of all column types."""
    from service.workflow.data.types.registry import COLUMN_TYPES  # which imports this file

    return list(COLUMN_TYPES)


class _OneOfTheTypes:
    @staticmethod
    def _check(value: Any) -> str:
        from service.workflow.data.types.registry import COLUMN_TYPES

        if isinstance(value, str) and value in COLUMN_TYPES:
            return value
        *others, last = map(repr, COLUMN_TYPES)
        expected = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._check)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "enum": type_names()}


TypeName = Annotated[str, _OneOfTheTypes]

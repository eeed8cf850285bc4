"""How a spec says that a feature is read: its type, and the options that the type has."""

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from service.workflow.data.types.names import TypeName
from service.workflow.spec_base import SpecBase, counted


class Feature(SpecBase):
    """How a feature is read. A type with options has a subclass, `ColumnType.feature`."""

    type: TypeName


class _ByType:
    """A feature of the class that its type has."""

    @staticmethod
    def _parse(value: object, info: ValidationInfo) -> Feature:
        from service.workflow.data.types.registry import COLUMN_TYPES  # whose types import this file

        if isinstance(value, Feature):
            return value
        if not isinstance(value, dict):
            raise PydanticCustomError("no_feature", 'expected an object with the type of a feature: {{"type": …}}')
        kind = value.get("type")
        cls = COLUMN_TYPES[kind].feature if isinstance(kind, str) and kind in COLUMN_TYPES else Feature
        return cls.model_validate(value, context=info.context)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            lambda value, info: counted(value, lambda each: cls._parse(each, info), info),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda feature: feature.model_dump(mode="json", exclude_none=True)
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        from service.workflow.data.types.registry import COLUMN_TYPES

        classes: dict[type[Feature], None] = dict.fromkeys([Feature, *(each.feature for each in COLUMN_TYPES.values())])
        return {"title": "feature", "anyOf": [handler(each.__pydantic_core_schema__) for each in classes]}


AnyFeature = Annotated[Feature, _ByType]

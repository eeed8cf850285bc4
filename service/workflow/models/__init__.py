"""Step 4, the model: one file a kind, one line in the table."""

import importlib
import inspect
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from service.workflow.errors import InvalidPlugin
from service.workflow.models.cnn import CNNSpec
from service.workflow.models.fusion import FusionSpec
from service.workflow.models.kind import ModelKind
from service.workflow.models.layers import LayersSpec
from service.workflow.models.linear_regression import LinearRegressionSpec
from service.workflow.models.logistic_regression import LogisticRegressionSpec
from service.workflow.models.mlp import MLPSpec
from service.workflow.models.recurrent import RecurrentSpec
from service.workflow.models.tabm import TabMSpec
from service.workflow.models.text_embedding import TextEmbeddingSpec
from service.workflow.models.transformer import TransformerSpec
from service.workflow.spec_base import budget_of, fault_at, shown

KINDS: dict[str, type[ModelKind]] = {
    "linear_regression": LinearRegressionSpec,
    "logistic_regression": LogisticRegressionSpec,
    "mlp": MLPSpec,
    "layers": LayersSpec,
    "tabm": TabMSpec,
    "cnn": CNNSpec,
    "text_embedding": TextEmbeddingSpec,
    "transformer": TransformerSpec,
    "recurrent": RecurrentSpec,
    "fusion": FusionSpec,
}
OURS = frozenset(KINDS)  # the kinds that are no plug-ins

FORMER_PARAMETERS = {"features", "columns"}  # of the methods of a kind, before `inputs`


def install(names: Iterable[str]) -> None:
    """Adds kinds that the operator has installed, each by its dotted name `package.module:Class`.

    Raises:
        InvalidPlugin: it is no ModelKind, has the methods of an older version, or its kind is taken.
    """
    for name in names:
        module, _, attribute = name.partition(":")
        cls = getattr(importlib.import_module(module), attribute)
        if not (isinstance(cls, type) and issubclass(cls, ModelKind)):
            raise InvalidPlugin(f"{name} is no subclass of ModelKind")
        methods = (cls.build, cls.sized, cls.training_defaults)
        given = {each for method in methods for each in inspect.signature(method).parameters}
        if former := FORMER_PARAMETERS & given:
            what = f"{name} is for an older version of Modelwright (it has a parameter {min(former)})"
            message = "build, sized and training_defaults take `inputs: InputShapes`, whose `features` is the number of features"
            raise InvalidPlugin(f"{what}: {message}")
        kind = cls.model_fields["kind"].default
        if KINDS.setdefault(kind, cls) is not cls:
            raise InvalidPlugin(f"{name}: the kind {kind!r} is taken by {KINDS[kind].__name__}")


def plug_ins() -> list[str]:
    """The dotted names of the kinds that were installed, for `install` in another process."""
    return [f"{cls.__module__}:{cls.__qualname__}" for kind, cls in KINDS.items() if kind not in OURS]


def kind_of(value: object, info: ValidationInfo) -> ModelKind:
    """The kind of model that a spec's value describes, by its field `kind`.

    Raises:
        PydanticCustomError, ValidationError: what is wrong and what would be right.
    """
    if isinstance(value, ModelKind):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise fault_at("kind", f"expected the kind of a model; known: {', '.join(sorted(KINDS))}", value)
    if kind not in KINDS:
        raise fault_at("kind", f"unknown kind {shown(kind)}{budget_of(info).nearest(kind, KINDS)}", value)
    return KINDS[kind].model_validate(value, context=info.context)


class _Kinds:
    """One of the kinds in the table, by the field `kind`. Looked up when a spec is read, for operators may add kinds."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            kind_of, serialization=core_schema.plain_serializer_function_ser_schema(lambda kind: kind.model_dump())
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"title": "model", "oneOf": [kind.model_json_schema() for kind in KINDS.values()]}


ModelSpec = Annotated[ModelKind, _Kinds]

__all__ = ["KINDS", "OURS", "LinearRegressionSpec", "ModelKind", "ModelSpec", "install", "plug_ins"]

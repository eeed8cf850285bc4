"""torch's classes as parts of a spec: `{"name": "SGD", "lr": 0.01}`.

A registry is a table of class names. The arguments of each class are read from its signature into a pydantic model, created
on first use and cached, so that names, defaults and checks are torch's.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cache, partial
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from service.workflow.spec_base import FaultBudget, SpecBase, budget_of, counted, fault_at, shown
from service.workflow.torch_errors import torch_message

# How torch runs a step, and arguments that torch deprecates.
LEFT_OUT = {"self", "params", "foreach", "fused", "capturable", "differentiable", "maximize", "device", "dtype"}
LEFT_OUT |= {"size_average", "reduce"}


class TorchRegistry:
    """The torch classes that one field of a spec may name.

    Args:
        what: the field's name in messages, for example `optimizer`.
        classes: the classes by name.
        refused: torch's names that a spec may not use, with the reasons.
        trial: creates and uses an object, cheaply for any arguments, so that torch checks them before there is a job.
        types: annotations by argument name, in place of torch's; or pairs of an annotation and a pydantic field.
        left_out: arguments that a spec may not give.
        own: additional fields: pairs of an annotation and a pydantic field.
    """

    def __init__(
        self,
        what: str,
        classes: Mapping[str, type],
        *,
        refused: Mapping[str, str],
        trial: Callable[[type, dict[str, Any]], object],
        types: Mapping[str, Any],
        left_out: Set[str] = frozenset(),
        own: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.what = what
        self.classes = classes
        self.refused = refused
        self._trial = trial
        self._types = types
        self._left_out = LEFT_OUT | left_out
        self._own = own
        self.arguments = cache(self._arguments)

    def _arguments(self, name: str) -> type[BaseModel]:
        """The pydantic model of a class's arguments."""
        cls = self.classes[name]
        constructor: Any = cls.__init__  # type: ignore[misc] # only its signature is read
        hints = get_type_hints(constructor, localns={"Callable": Callable, "Iterable": Iterable, "Sequence": Sequence})
        fields: dict[str, Any] = {"name": (Literal[name], Field(description=f"torch's {_torch_class(cls)}"))}
        for argument in inspect.signature(constructor).parameters.values():
            if argument.name in self._left_out:
                continue
            replaced = self._types.get(argument.name)
            if isinstance(replaced, tuple):
                fields[argument.name] = replaced
                continue
            annotation = replaced or without_tensors(hints.get(argument.name, Any))
            default = ... if argument.default is inspect.Parameter.empty else argument.default
            if default is None:
                annotation = annotation | None  # torch's annotation may lack it
            fields[argument.name] = (annotation, default)
        fields |= self._own
        return create_model(name, __base__=SpecBase, __doc__=_first_paragraph(cls), **fields)

    def parse(self, value: object, budget: FaultBudget | None = None) -> BaseModel:
        """The arguments from `{"name": …, …}`, checked by torch unless the budget forbids it.

        Raises:
            PydanticCustomError, ValidationError: what is wrong and what would be right.
        """
        if isinstance(value, SpecBase):  # it was validated when it was made
            return value
        budget = budget or FaultBudget()
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise PydanticCustomError(
                "no_name", "{message}", {"message": 'expected an object with the name of a torch class: {"name": …}'}
            )
        name = value["name"]
        if name in self.refused:
            raise fault_at("name", f"{name} cannot be used: {self.refused[name]}", value)
        if name not in self.classes:
            raise fault_at("name", f"unknown {self.what} {shown(name)}{budget.nearest(name, self.classes)}", value)
        member = self.arguments(name).model_validate(value, context=budget)
        if budget.tries:
            self._try(member)
        return member

    def _try(self, member: BaseModel) -> None:
        """Lets torch check the arguments. If it refuses, the fault is at the only argument that was given, or at one without
        which it accepts the others."""
        cls, given = self.classes[name_of(member)], arguments_of(member)
        try:
            self._trial(cls, given)
        except Exception as error:  # torch raises ValueError, AssertionError, TypeError, RuntimeError
            explicit = [name for name in given if name in member.model_fields_set]
            for name in given:
                if explicit == [name] or self._passes(cls, {k: v for k, v in given.items() if k != name}):
                    raise fault_at(name, f"torch refuses this: {torch_message(error)}", given[name]) from None
            message = f"torch refuses these arguments: {torch_message(error)}"
            raise PydanticCustomError("torch_refuses", "{message}", {"message": message}) from None

    def _passes(self, cls: type, arguments: dict[str, Any]) -> bool:
        try:
            self._trial(cls, arguments)
        except Exception:
            return False
        return True

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            lambda value, info: counted(value, partial(self.parse, budget=budget_of(info)), info),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda member: member.model_dump(warnings=False)
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"title": self.what, "oneOf": [self.arguments(name).model_json_schema() for name in self.classes]}


def _torch_class(cls: type) -> str:
    """The full name of torch's own class, which may be a base of this one."""
    own = next((each for each in cls.__mro__ if each.__module__.startswith("torch.")), cls)
    return f"{own.__module__}.{own.__name__}"


def _first_paragraph(cls: type) -> str:
    """What torch says of a class, on one line, without the marks of reStructuredText such as :math:`x`."""
    text = " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())
    return re.sub(r"(?::[a-z]+:)?`([^`<]*?)(?: <[^`>]*>)?`_?", r"\1", text)


def name_of(member: BaseModel) -> str:
    """The name of the torch class."""
    return type(member).__name__


def arguments_of(member: BaseModel) -> dict[str, Any]:
    """The keyword arguments for the torch class."""
    return {name: getattr(member, name) for name in type(member).model_fields if name != "name"}


def without_tensors(annotation: Any) -> Any:
    """torch's annotation for values from JSON: without tensors, and with lists for tuples."""
    if get_origin(annotation) in (Union, UnionType):
        left = [without_tensors(each) for each in get_args(annotation) if each is not torch.Tensor]
        return Union[tuple(left)]  # noqa: UP007 - created at run time
    if get_origin(annotation) is tuple:
        inner = tuple(without_tensors(each) for each in get_args(annotation))
        return Annotated[tuple[inner], Field(strict=False)]  # type: ignore[valid-type] # created at run time
    return annotation

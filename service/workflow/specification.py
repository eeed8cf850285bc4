"""The base of everything a client can write in a spec: frozen, strict, and with faults that name what is right."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from service.workflow.errors import Fault, step


class Specification(BaseModel):
    """A frozen part of a spec. Unknown fields are faults that name the nearest known ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_nearest_field(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Self:
        try:
            made: Self = handler(value)
            return made
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                cls.__name__, [_line(each, list(cls.model_fields)) for each in error.errors()]
            ) from None


def nearest(name: object, known: Iterable[str]) -> str:
    """`did you mean …` with the nearest known names, then all of them when they are few."""
    known = sorted(known)
    lowered = {each.lower(): each for each in known}
    close = [lowered[each] for each in get_close_matches(str(name).lower(), lowered, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}known: {', '.join(known)}"


def fault_at(field: str, message: str, value: object) -> ValidationError:
    """A fault at a field of the value that is being validated, to be raised by a validator."""
    kind = PydanticCustomError("fault", "{message}", {"message": message})
    return ValidationError.from_exception_data("fault", [InitErrorDetails(type=kind, loc=(field,), input=value)])


def shown(value: object) -> str:
    """A client's value as it may stand in a message: short, and never raw."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "…"


def faults(error: ValidationError, value: Any, at: str = "") -> list[Fault]:
    """The faults of a pydantic error, each with the JSON pointer into `value`, the input that was validated."""
    return [_fault(each, value, at) for each in error.errors(include_url=False)]


def _line(each: Any, known: list[str]) -> InitErrorDetails:
    kind: str | PydanticCustomError
    if each["type"] == "extra_forbidden" and len(each["loc"]) == 1:
        message = f"unknown field {shown(each['loc'][0])}; {nearest(each['loc'][0], known)}"
        kind = PydanticCustomError("unknown_field", "{message}", {"message": message})
    elif each["type"] in ("union_tag_invalid", "union_tag_not_found"):
        kind = PydanticCustomError(each["type"], "{message}", {"message": _tag(each)})
    elif each["type"] in ("value_error", "assertion_error"):
        kind = PydanticCustomError(each["type"], "{message}", {"message": each["msg"].split(", ", 1)[-1]})
    else:
        kind = PydanticCustomError(each["type"], "{message}", {"message": each["msg"]})
    return InitErrorDetails(type=kind, loc=each["loc"], input=each["input"])


def _tag(each: Any) -> str:
    field = each["ctx"]["discriminator"].strip("'")
    if each["type"] == "union_tag_not_found":
        return f"the field {field!r} is missing: it says which kind this is"
    known = [tag.strip("' ") for tag in each["ctx"]["expected_tags"].split(",")]
    return f"unknown {field} {shown(each['ctx']['tag'])}; {nearest(each['ctx']['tag'], known)}"


def _fault(each: Any, value: Any, at: str) -> Fault:
    pointer, inside, tagged = at, value, False
    for name in each["loc"]:
        # pydantic puts the tag of a discriminated union into the path; the client's document has no such step.
        if pointer == f"{at}/data" and not tagged and isinstance(inside, dict) and name == inside.get("kind"):
            tagged = True
            continue
        # And the branch of a plain union that it tried.
        if not isinstance(inside, dict) and not (isinstance(inside, list) and isinstance(name, int)):
            continue
        if isinstance(name, str) and name.startswith("<") and name not in inside:
            continue
        pointer += step(name)
        inside = _child(inside, name)
    if each["type"] in ("union_tag_invalid", "union_tag_not_found"):
        pointer += "/kind"
    return Fault(pointer, each["msg"])


def _child(value: Any, step: int | str) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None

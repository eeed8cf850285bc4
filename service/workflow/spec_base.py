"""The base class of all parts of a spec: frozen, strict, with faults that name what would be right.

The number and size of faults are bounded here, because a document may have as many faults as it has bytes.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from heapq import nlargest
from itertools import islice
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from service.workflow.errors import Fault, step

MOST_FAULTS = 20  # reported for one document; the rest of it is not validated
MOST_SEARCHES = 8  # for the nearest known name, in one document
LONGEST_NAME = 64  # characters of a text in a message and in a search
MOST_COMPARED = 50  # names that a search compares in full: those with most pairs of letters in common
MOST_LISTED = 600  # characters of a list of known names
MOST_ENTRIES = 10_000  # of a list or an object whose field has no max_length


@dataclass
class FaultBudget:
    """The context of validating one document: how many more faults and searches for a nearest name it may take, and whether
    torch checks the arguments of its classes."""

    faults: int = MOST_FAULTS
    searches: int = MOST_SEARCHES
    tries: bool = True

    def nearest(self, name: object, known: Iterable[str]) -> str:
        """The result of `nearest` after a semicolon, or an empty text once all searches are used."""
        self.searches -= 1
        return f"; {nearest(name, known)}" if self.searches >= 0 else ""


class SpecBase(BaseModel):
    """A frozen part of a spec. Unknown fields are faults that name the nearest known ones; the size of lists and objects is
    bounded. With a `FaultBudget` as context, validation ends when that is used up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _collect_faults(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Self:
        budget = budget_of(info)
        found: list[InitErrorDetails] = []
        if isinstance(value, dict):
            found = [*_unknown(cls, value, budget), *_too_long(cls, value)]
        if len(found) < MOST_FAULTS and not any(each["loc"][0] in cls.model_fields for each in found):
            try:
                made: Self = handler(value)
                return made
            except ValidationError as error:
                others = (each for each in error.errors() if each["type"] != "extra_forbidden" or len(each["loc"]) > 1)
                found += [_reworded(each, budget) for each in islice(others, MOST_FAULTS)]
        raise ValidationError.from_exception_data(cls.__name__, found[:MOST_FAULTS]) from None


def budget_of(info: ValidationInfo) -> FaultBudget:
    """The budget of the document that is validated, or a new one."""
    return info.context if isinstance(info.context, FaultBudget) else FaultBudget()


def counted(value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
    """Validates an entry of a list or an object, unless the entries before it have used up the budget: then the document is
    refused anyway."""
    budget = budget_of(info)
    if budget.faults <= 0:
        return value
    try:
        return handler(value)
    except ValidationError as error:
        budget.faults -= error.error_count()
        raise
    except ValueError:
        budget.faults -= 1
        raise


COUNTED = WrapValidator(counted)  # for the type of the entries of a list or an object
JSON_MESSAGES = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "expected an object"),
    **dict.fromkeys(("list_type", "tuple_type"), "expected a list"),
}


def nearest(name: object, known: Iterable[str]) -> str:
    """`did you mean …` with the nearest known names, and the list of known names."""
    names = sorted(known)
    text = str(name)[:LONGEST_NAME].lower()
    lowered = {each[:LONGEST_NAME].lower(): each for each in names}
    close = [lowered[each] for each in get_close_matches(text, _alike(text, lowered), n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(repr(each[:LONGEST_NAME]) for each in close)}? " if close else ""
    return f"{hint}known: {listed_names(names)}"


def _alike(text: str, names: Collection[str]) -> Collection[str]:
    """The names to compare in full, which takes time."""
    if len(names) <= MOST_COMPARED:
        return names
    pairs = {text[at : at + 2] for at in range(max(len(text) - 1, 1))}
    return nlargest(
        MOST_COMPARED, names, key=lambda each: sum(map(each.__contains__, pairs)) / (len(pairs) + len(each))
    )


def listed_names(names: Collection[str]) -> str:
    """Names for a message, each shortened, and only the first where there are many."""
    parts, length = [], 0
    for each in names:
        parts.append(each[:LONGEST_NAME])
        length += len(parts[-1]) + 2
        if length > MOST_LISTED:
            break
    return ", ".join(parts) + (f", … ({len(names)} in all)" if len(parts) < len(names) else "")


def fault_at(field: str, message: str, value: object) -> ValidationError:
    """A fault at a field of the validated value, for a validator to raise."""
    return ValidationError.from_exception_data("fault", [error_at((field,), message, value)])


def shown(value: object) -> str:
    """A client's value for a message, quoted and shortened."""
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = repr(value[: LONGEST_NAME + 1] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + "…"


def faults(error: ValidationError, value: Any, at: str = "") -> list[Fault]:
    """The faults of a pydantic error, with JSON pointers into `value`, the validated input."""
    return [_fault(each, value, at) for each in error.errors(include_url=False)[:MOST_FAULTS]]


def _unknown(cls: type[BaseModel], value: dict[Any, Any], budget: FaultBudget) -> list[InitErrorDetails]:
    """Faults for the first unknown fields."""
    names = (name for name in value if name not in cls.model_fields)
    return [
        error_at((name,), f"unknown field {shown(name)}{budget.nearest(name, cls.model_fields)}", value)
        for name in islice(names, MOST_FAULTS)
    ]


def _too_long(cls: type[BaseModel], value: dict[Any, Any]) -> list[InitErrorDetails]:
    """Faults for lists and objects with too many entries, before the entries are validated."""
    found = []
    for name, most in _most(cls).items():
        given = value.get(name)
        if isinstance(given, list | dict) and len(given) > most:
            found.append(error_at((name,), f"has {len(given)} entries; at most {most} are taken", given))
    return found


@cache
def _most(cls: type[BaseModel]) -> dict[str, int]:
    """The maximum number of entries of a list or an object, by field."""
    found: dict[str, int] = {}
    for name, field in cls.model_fields.items():
        if not any(isinstance(each, PlainValidator) for each in field.metadata):  # which checks that itself
            lengths = (each.max_length for each in field.metadata if hasattr(each, "max_length"))
            found[name] = next(lengths, MOST_ENTRIES)
    return found


def error_at(at: tuple[int | str, ...], message: str, value: object, kind: str = "fault") -> InitErrorDetails:
    """A fault of the validated value at a path in it, as pydantic collects them."""
    return InitErrorDetails(type=PydanticCustomError(kind, "{message}", {"message": message}), loc=at, input=value)


def _reworded(each: Any, budget: FaultBudget) -> InitErrorDetails:
    message = each["msg"]
    if each["type"] in ("union_tag_invalid", "union_tag_not_found"):
        message = _tag(each, budget)
    elif each["type"] in ("value_error", "assertion_error"):
        message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return error_at(each["loc"], message, each["input"], each["type"])


def _tag(each: Any, budget: FaultBudget) -> str:
    field = each["ctx"]["discriminator"].strip("'")
    if each["type"] == "union_tag_not_found":
        return f"the field {field!r} is missing: it says which kind this is"
    known = [tag.strip("' ") for tag in each["ctx"]["expected_tags"].split(",")]
    return f"unknown {field} {shown(each['ctx']['tag'])}{budget.nearest(each['ctx']['tag'], known)}"


def _fault(each: Any, value: Any, at: str) -> Fault:
    pointer, inside, tagged = at, value, False
    for name in each["loc"]:
        # pydantic adds the tag of a discriminated union to the path, which is no step in the document.
        if pointer == f"{at}/data" and not tagged and isinstance(inside, dict) and name == inside.get("kind"):
            tagged = True
            continue
        # It also adds the member of a plain union that it tried.
        if not isinstance(inside, dict) and not (isinstance(inside, list) and isinstance(name, int)):
            continue
        if isinstance(name, str) and name.startswith("<") and name not in inside:
            continue
        pointer += step(name)
        inside = _child(inside, name)
    if each["type"] in ("union_tag_invalid", "union_tag_not_found"):
        pointer += "/kind"
    return Fault(pointer, JSON_MESSAGES.get(each["type"], each["msg"]))


def _child(value: Any, step: int | str) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None

"""The space that a sweep searches: for each field of a training spec, by its dotted path, the values that it may take."""

import copy
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import Field, model_validator

from service.workflow.errors import invalid, step
from service.workflow.spec_base import SpecBase

Values: TypeAlias = dict[str, Any]  # of one trial, by path
MOST_SETTINGS = 32
MOST_CHOICES = 64
MOST_STEPS = 16  # of a path
# A trial of other rows, or another target, has an objective that cannot be compared.
NOT_SEARCHED = frozenset(
    {"model_name", "data", "split", "evaluation", "priority", "webhook", "notes", "license", "initial"}
)
Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]
WholeBounds = Annotated[list[int], Field(min_length=2, max_length=2)]


class Dimension(SpecBase):
    """The values of one field: a number between two bounds, uniform or uniform in its logarithm, a whole number between two
    bounds, or one of a list of JSON values. Exactly one of these is given."""

    log: Bounds | None = Field(
        default=None, description="the lowest and the highest number, above 0: uniform in the logarithm"
    )
    uniform: Bounds | None = Field(default=None, description="the lowest and the highest number")
    int: WholeBounds | None = Field(default=None, description="the lowest and the highest whole number")
    choice: Annotated[list[Any], Field(min_length=1, max_length=MOST_CHOICES)] | None = Field(
        default=None, description="the values themselves, of any type"
    )

    @model_validator(mode="after")
    def _is_one(self) -> "Dimension":
        given = [name for name in Dimension.model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("expected exactly one of log, uniform, int and choice")
        if given[0] == "choice":
            return self
        low, high = getattr(self, given[0])
        if not low < high:
            raise ValueError(f"expected the lower bound first, and a higher one after it; got {low} and {high}")
        if self.log is not None and low <= 0:
            raise ValueError(f"expected bounds above 0 for log; got {low}")
        if not math.isfinite(high - low):
            raise ValueError("the bounds are too far apart")
        return self

    @property
    def listed(self) -> Sequence[Any] | None:
        """Every value, in order; None where there is no end of them."""
        if self.choice is not None:
            return self.choice
        return None if self.int is None else range(self.int[0], self.int[1] + 1)

    @property
    def extremes(self) -> list[Any]:
        """The values to check before a sweep begins: both bounds, or each choice."""
        found = self.choice or self.int or self.log or self.uniform
        return list(found or ())


Space: TypeAlias = dict[str, Dimension]


def check(space: Mapping[str, Dimension]) -> None:
    """Checks that the paths name single, different fields that a sweep may search.

    Raises:
        InvalidSpec: with the pointer to the setting.
    """
    if not space:
        raise invalid("/search", 'expected a field and its values, such as {"optimizer.lr": {"log": [0.0001, 0.1]}}')
    if len(space) > MOST_SETTINGS:
        raise invalid("/search", f"has {len(space)} fields; at most {MOST_SETTINGS} are searched")
    for name in space:
        parts = name.split(".")
        at = f"/search{step(name)}"
        if not all(parts) or len(parts) > MOST_STEPS:
            raise invalid(
                at, "expected the path of a field with dots, such as optimizer.lr or model.layers.0.out_features"
            )
        if parts[0] in NOT_SEARCHED:
            raise invalid(
                at, f"a sweep does not search {parts[0]}: its trials could not be compared, or do not depend on it"
            )
        for other in space:
            if other != name and other.startswith(name + "."):
                raise invalid(at, f"is searched as a whole, and {other} within it: search one of them")


def with_values(spec: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """The spec with these values in their places; objects that are missing on the way are made.

    Raises:
        InvalidSpec: a place is in something that is neither an object nor a list, or past the end of a list.
    """
    changed = {**spec}
    for path, value in values.items():
        _place(changed, path.split("."), value, "")
    return changed


def combinations(space: Mapping[str, Dimension]) -> Iterator[Values]:
    """What to check before a sweep begins: the first value of every field; then each other bound or choice of one field,
    beside the first of the others."""
    first = {name: dimension.extremes[0] for name, dimension in space.items()}
    yield first
    for name, dimension in space.items():
        for value in dimension.extremes[1:]:
            yield first | {name: value}


def grid_size(space: Mapping[str, Dimension]) -> int:
    """The number of points of a grid.

    Raises:
        InvalidSpec: a field has no list of values.
    """
    sizes = []
    for name, dimension in space.items():
        if (listed := dimension.listed) is None:
            raise invalid(f"/search{step(name)}", "a grid takes choice or int; give the numbers to try as a choice")
        sizes.append(len(listed))
    return math.prod(sizes)


def grid(space: Mapping[str, Dimension]) -> Iterator[Values]:
    """The points of a grid; the last field changes fastest."""
    lists = [dimension.listed or () for dimension in space.values()]
    for values in itertools.product(*lists):
        yield dict(zip(space, values, strict=True))


def named(values: Values) -> str:
    """The values of a trial, for a message about what is wrong with them."""
    return ", ".join(f"{name} = {str(value)[:60]}" for name, value in values.items())


def _place(inside: Any, parts: list[str], value: Any, at: str) -> None:
    """Puts a value into its place. What lies on the way is copied: it belongs to other trials, too."""
    name, rest = parts[0], parts[1:]
    at += step(name)
    key: Any = name
    if isinstance(inside, list):
        if not name.isdecimal() or int(name) >= len(inside):
            raise invalid(at, f"expected the position in a list of {len(inside)}, from 0")
        key = int(name)
    elif not isinstance(inside, dict):
        raise invalid(at, "there are no fields in this value of the spec")
    if not rest:
        inside[key] = copy.deepcopy(value)
        return
    within = inside.get(key) if isinstance(inside, dict) else inside[key]
    inside[key] = {} if within is None else copy.copy(within)
    _place(inside[key], rest, value, at)

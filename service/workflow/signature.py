"""What goes into a model and what comes out: kept in the manifest, read by every prediction."""

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.workflow.data.schema import Scalar, TypeName
from service.workflow.data.table import Wanted
from service.workflow.data.types.how import How
from service.workflow.tasks import CLASSIFICATION, Task

EXACT = 2**53  # up to which a float64 holds every whole number


class Input(BaseModel):
    """One feature, as a client names it. `categories` are those that the model tells apart, in sorted order; None until
    they are known, and for every other type. `dtype` is named where its numbers do not fit into a float32. How texts stand
    for its values: `missing` are the words for none, `date_format` is that of the data, `decimal` a comma where numbers have
    it; each only where it is not the usual."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: TypeName
    categories: list[str] | None = None
    dtype: Literal["float64"] | None = None
    missing: list[str] | None = None
    date_format: str | None = None
    decimal: Literal[","] | None = None

    @cached_property
    def how(self) -> How:
        """How texts stand for its values."""
        return How(frozenset(self.missing or ()), self.decimal or ".", self.date_format)


class Output(BaseModel):
    """One target: a number, one of several classes, or a label that holds or does not.

    `classes` are the target's values in sorted order, as they stand in the data; None for a number. `dtype` is named where
    its numbers do not fit into a float32.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["number", "class", "label"]
    classes: list[Scalar] | None = None
    dtype: Literal["float64"] | None = None


class Signature(BaseModel):
    """The inputs in order, the outputs in order, and the question that is answered."""

    model_config = ConfigDict(frozen=True)

    task: Task
    inputs: list[Input]
    outputs: list[Output]
    ignored: list[str] | None = None  # columns of the data that say nothing, and may come along in the file's own form
    encoding: str | None = None  # of the data's text, where it is not UTF-8

    @cached_property
    def has_missing_numbers(self) -> bool:
        """Whether a number, such as -999, stands for a missing value somewhere."""
        return any(each.how.missing_numbers for each in self.inputs)

    @cached_property
    def with_points(self) -> "Signature":
        """The same where a number has a point before its fraction, whatever the data have."""
        if all(each.decimal is None for each in self.inputs):
            return self
        return self.model_copy(update={"inputs": [each.model_copy(update={"decimal": None}) for each in self.inputs]})

    @property
    def classifies(self) -> bool:
        """Whether the answer is one of several classes."""
        return self.task in CLASSIFICATION

    @property
    def classes(self) -> list[Scalar]:
        """The classes in sorted order; none when the answer is no class."""
        return (self.outputs[0].classes or []) if self.classifies else []

    def wanted(self) -> dict[str, Wanted]:
        """The columns to read, and how."""
        # One raw tensor holds all features: what one of them needs, all are read in.
        exact = any(each.dtype is not None for each in self.inputs)
        features = {each.name: Wanted(each.type, exact) for each in self.inputs}
        return features | {each.name: Wanted(_read_as(each), exact=True) for each in self.outputs}


def _read_as(output: Output) -> TypeName:
    if not output.classes or not isinstance(output.classes[0], str | bool):
        # A float64 merges whole numbers that are larger.
        large = any(isinstance(each, int) and abs(each) >= EXACT for each in output.classes or ())
        return "category" if large else "number"
    return "boolean" if isinstance(output.classes[0], bool) else "category"

"""The signature of a model: its inputs and outputs, as the manifest records them and predictions read them."""

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.workflow.data.table import RequestedColumn
from service.workflow.data.texts.encoding import TextEncoding
from service.workflow.data.types.category import as_text
from service.workflow.data.types.how import How
from service.workflow.data.types.names import Scalar, TypeName
from service.workflow.tasks import CLASSIFICATION, Task

EXACT = 2**53  # a float64 holds every integer up to this one


class Input(BaseModel):
    """One feature, by the name of its column.

    `categories` are those that the model distinguishes, in sorted order; None before training and for other types. `shape` is
    that of one value's tensor, for types whose values have one. `dtype` is set if the numbers are no float32. `text` is how
    texts become ids. `missing` (words for a missing value), `date_format` and `decimal` (a comma) say how its texts are read,
    where that is not the default.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: TypeName
    categories: list[str] | None = None
    shape: list[int] | None = None
    dtype: Literal["float64", "uint8"] | None = None
    text: TextEncoding | None = None
    missing: list[str] | None = None
    date_format: str | None = None
    decimal: Literal[","] | None = None

    @cached_property
    def how(self) -> How:
        """How its texts are read."""
        return How(frozenset(self.missing or ()), self.decimal or ".", self.date_format)


class Output(BaseModel):
    """One target: a number, one of several classes, or a label that is true or false.

    `classes` are the target's values as in the data, in sorted order; None for a number. `dtype` is set if its numbers do not
    fit into a float32. `threshold` is the probability above which the second of two classes is the answer, if it is not 0.5.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["number", "class", "label"]
    classes: list[Scalar] | None = None
    dtype: Literal["float64"] | None = None
    threshold: float | None = None


class Signature(BaseModel):
    """The task, the inputs and the outputs, in order."""

    model_config = ConfigDict(frozen=True)

    task: Task
    inputs: list[Input]
    outputs: list[Output]
    ignored: list[str] | None = None  # other columns of the data, which instances in the form of the file may contain
    encoding: str | None = None  # of the data's text, where it is not UTF-8

    @cached_property
    def shaped(self) -> bool:
        """Whether values of any input have a shape, such as an image."""
        return any(each.shape is not None for each in self.inputs)

    @cached_property
    def has_missing_numbers(self) -> bool:
        """Whether any input has a number, such as -999, for a missing value."""
        return any(each.how.missing_numbers for each in self.inputs)

    @cached_property
    def with_points(self) -> "Signature":
        """The same signature with decimal points, whatever the data have."""
        if all(each.decimal is None for each in self.inputs):
            return self
        return self.model_copy(update={"inputs": [each.model_copy(update={"decimal": None}) for each in self.inputs]})

    @property
    def classifies(self) -> bool:
        """Whether the answer is one of several classes."""
        return self.task in CLASSIFICATION

    @property
    def classes(self) -> list[Scalar]:
        """The classes in sorted order; an empty list for other tasks."""
        return (self.outputs[0].classes or []) if self.classifies else []

    @property  # a copy with other outputs would keep a cached one
    def threshold(self) -> float | None:
        """The probability above which the second of two classes is the answer; None for the most probable class."""
        return self.outputs[0].threshold if self.classifies else None

    @property
    def labels(self) -> list[str]:
        """What each probability of an answer is of: the classes as texts, or the names of several labels. Empty for a
        regression."""
        if self.task is Task.MULTILABEL:
            return [each.name for each in self.outputs]
        return [as_text(each) for each in self.classes]

    def wanted(self) -> dict[str, RequestedColumn]:
        """The columns to read, and their types."""
        # All numbers are in one raw tensor, so they share a dtype.
        exact = any(each.dtype == "float64" for each in self.inputs)
        features = {each.name: RequestedColumn(each.type, exact) for each in self.inputs}
        return features | {each.name: RequestedColumn(_read_as(each), exact=True) for each in self.outputs}


def _read_as(output: Output) -> TypeName:
    if not output.classes or not isinstance(output.classes[0], str | bool):
        # Larger integers are read as texts: as float64 some would become equal.
        large = any(isinstance(each, int) and abs(each) >= EXACT for each in output.classes or ())
        return "category" if large else "number"
    return "boolean" if isinstance(output.classes[0], bool) else "category"

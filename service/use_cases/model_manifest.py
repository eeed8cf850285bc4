"""What the manifest of a model says, as a type: what a stranger's bundle says must be of it before it is shown in a list."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from service.workflow.data.schema import MOST_COLUMNS
from service.workflow.data.types.names import LONGEST_NAME
from service.workflow.signature import Signature

Word = Annotated[str, Field(max_length=256)]
Count = Annotated[int, Field(ge=0)]
Part = Annotated[str, Field(max_length=20)]


class Trained(BaseModel):
    """How long it was trained."""

    epochs: Count
    seconds: float


class PartOfRows(BaseModel):
    """The rows of a part of the split."""

    rows: Count
    digest: Word


class ModelManifest(BaseModel):
    """What is read of a model's manifest, with the bounds of what a training writes."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    format: Annotated[int, Field(ge=1)]
    spec: dict[str, Any]
    signature: Annotated[Signature, Field(strict=False)]
    metrics: Annotated[dict[Part, Annotated[dict[Word, float | None], Field(max_length=100)]], Field(max_length=10)]
    confusion: Annotated[dict[Part, list[list[Count]]], Field(max_length=10)] = {}
    split: Annotated[dict[Part, PartOfRows], Field(max_length=10)] = {}
    parameters: Count = 0
    environment: Annotated[dict[Word, Word | int | float | None], Field(max_length=100)]
    data: Annotated[dict[Word, Word | int | float | None], Field(max_length=100)]
    training: Trained | None = None
    job: Word | None = None


def check_names(signature: Signature) -> None:
    """That inputs and outputs are there, and each has a name of its own that a column may have.

    Raises:
        ValueError: it is not so.
    """
    for each in (signature.inputs, signature.outputs):
        names = [column.name for column in each]
        if not 0 < len(names) <= MOST_COLUMNS or len(set(names)) < len(names):
            raise ValueError("inputs and outputs must be there, and have different names")
        if not all(0 < len(name) <= LONGEST_NAME for name in names):
            raise ValueError(f"a name has 1 to {LONGEST_NAME} characters")

"""Examples of images, clips and texts, recorded when a model is trained: what its charts show of such inputs."""

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_SIDE = 64  # pixels of a picture's longer side
MOST_GROUPS = 8
MOST_OF_A_GROUP = 8
MOST_WORST = 24
MOST_FILTERS = 64
LONGEST_TEXT = 200  # characters
LONGEST_LABEL = 200
Side = Annotated[int, Field(ge=1, le=MOST_SIDE)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Label = Annotated[str, Field(max_length=LONGEST_LABEL)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class Picture(BaseModel):
    """A small picture without a format, so that no decoder is needed: `pixels` are the bytes of uint8 [height, width, channels],
    in base64."""

    model_config = ConfigDict(frozen=True)

    width: Side
    height: Side
    channels: Literal[1, 3]
    pixels: Annotated[str, Field(max_length=4 * (MOST_SIDE * MOST_SIDE + 1))]

    @property
    def bytes(self) -> bytes:
        """The pixels, row by row."""
        return base64.b64decode(self.pixels, validate=True)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wanted = self.width * self.height * self.channels
        try:
            found = len(self.bytes)
        except binascii.Error:
            found = -1
        if found != wanted:
            raise ValueError(
                f"expected {wanted} bytes in base64 for {self.height} × {self.width} × {self.channels} pixels"
            )
        return self


class Example(BaseModel):
    """A row: its picture and the beginning of its text, as far as the model has such inputs; truth and answer in words, and for a
    class or labels the probability of the answer."""

    model_config = ConfigDict(frozen=True)

    truth: Label
    answer: Label
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    picture: Picture | None = None
    text: Text | None = None


class Group(BaseModel):
    """Rows of the training part of one class, or with one label; of a regression all, from the smallest to the largest target.
    `rows` is how many there are."""

    model_config = ConfigDict(frozen=True)

    label: Label
    rows: Count
    examples: Annotated[list[Example], Field(max_length=MOST_GROUPS * MOST_OF_A_GROUP)]


class Examples(BaseModel):
    """Examples of the inputs `picture` and `text`, the first of their kinds: of each group of the training part, and the worst
    answers in `part`, the worst first. `counts` has the rows of each class or label in each part, in the order of
    `Signature.labels`."""

    model_config = ConfigDict(frozen=True)

    picture: str | None = None
    text: str | None = None
    groups: Annotated[list[Group], Field(max_length=MOST_GROUPS)]
    part: str
    worst: Annotated[list[Example], Field(max_length=MOST_WORST)]
    counts: dict[str, list[Count]] = {}

"""The mean of the embeddings of a text's ids, the default for texts."""

from typing import Any, Literal

from pydantic import Field
from torch import nn

from service.workflow.models.encoder_kind import EncoderKind, hidden_layers
from service.workflow.models.encoders import Bag, Encoder
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.mlp import Width
from service.workflow.models.recipes import one_cycle

SPREAD = 0.1  # of the first values of the vectors
RATE, WEIGHT_DECAY, WORK = 0.01, 0.01, 512


class TextEmbeddingSpec(EncoderKind):
    """The mean of the vectors of a text's words or n-grams, and fully connected layers.

    Training defaults: `one_cycle` of `recipes.py` with a work of 512 for a row, a learning rate of 0.01 and weight decay 0.01.
    """

    takes = "a text"

    kind: Literal["text_embedding"] = "text_embedding"
    dim: int = Field(default=64, ge=1, le=4096, description="of each vector")
    hidden: list[Width] = Field(default=[], max_length=64, description="the width of each hidden layer")
    dropout: float = Field(default=0.0, ge=0, lt=1)

    def training_defaults(self, rows: int, inputs: InputShapes) -> dict[str, Any]:
        """By the formulas above."""
        return one_cycle(rows, self.work(inputs.only), RATE, WEIGHT_DECAY)

    def work(self, of: InputTensor) -> int:
        """The optimizer's work on the table of vectors, and no more for longer texts."""
        return WORK

    def fits(self, of: InputTensor) -> bool:
        """Texts."""
        return of.ids is not None and len(of.shape) == 1

    def encoder(self, of: InputTensor) -> Encoder:
        """The mean of the vectors."""
        return Bag(of.ids or 1, self.dim, SPREAD)

    def between(self, width: int) -> list[nn.Module]:
        """The hidden layers."""
        return hidden_layers(width, self.hidden, self.dropout)

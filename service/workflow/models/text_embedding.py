"""The mean of the embeddings of a text's ids, the default for texts."""

from typing import Literal

from pydantic import Field
from torch import nn

from service.workflow.models.encoder_kind import EncoderKind, hidden_layers
from service.workflow.models.encoders import Bag, Encoder
from service.workflow.models.input_shapes import InputTensor
from service.workflow.models.mlp import Width


class TextEmbeddingSpec(EncoderKind):
    """The mean of the vectors of a text's words or n-grams, and fully connected layers."""

    takes = "a text"

    kind: Literal["text_embedding"] = "text_embedding"
    dim: int = Field(default=64, ge=1, le=4096, description="of each vector")
    hidden: list[Width] = Field(default=[], max_length=64, description="the width of each hidden layer")
    dropout: float = Field(default=0.0, ge=0, lt=1)

    def fits(self, of: InputTensor) -> bool:
        """Texts."""
        return of.ids is not None and len(of.shape) == 1

    def encoder(self, of: InputTensor) -> Encoder:
        """The mean of the vectors."""
        return Bag(of.ids or 1, self.dim)

    def between(self, width: int) -> list[nn.Module]:
        """The hidden layers."""
        return hidden_layers(width, self.hidden, self.dropout)

"""A transformer encoder for texts, images, and rows of steps."""

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from torch import nn

from service.workflow.models.encoder_kind import EncoderKind
from service.workflow.models.encoders import Encoder, Patches, Tokens, Transformer, image_layout
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.recipes import one_cycle

PATCHES = 8  # along the shorter side of an image
HEAD = 32  # dimensions of a head
RATE, WEIGHT_DECAY, WORK = 0.002, 0.05, 64


class TransformerSpec(EncoderKind):
    """A transformer encoder with LayerNorm first, whose answers are averaged.

    Defaults: `attention_heads` the largest divisor of `dim` up to dim / 32; `patch` the shorter side of an image / 8, rounded up.
    Training defaults: `one_cycle` of `recipes.py` with a work of 64 for a step of each layer, a learning rate of 0.002 and weight
    decay 0.05.
    """

    takes = "a text, an image or a tensor of 2 or 3 dimensions"

    in_order = True

    kind: Literal["transformer"] = "transformer"
    dim: int = Field(default=64, ge=1, le=4096, description="the width of each step")
    depth: int = Field(default=2, ge=1, le=64, description="the number of layers")
    attention_heads: int | None = Field(default=None, ge=1, le=256, description="a divisor of dim")
    patch: int | None = Field(default=None, ge=1, le=1024, description="pixels along the side of an image's patch")
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.attention_heads is not None and self.dim % self.attention_heads:
            raise ValueError(
                f"attention_heads must divide dim, and {self.dim} is no multiple of {self.attention_heads}"
            )
        return self

    def sized(self, rows: int, inputs: InputShapes) -> Self:
        """With the defaults for its sizes."""
        layout = image_layout(inputs.only)
        most = max(1, self.dim // HEAD)
        heads = self.attention_heads or max(each for each in range(1, most + 1) if self.dim % each == 0)
        patch = None if layout is None else self.patch or math.ceil(layout.side / PATCHES)
        return self.model_copy(update={"attention_heads": heads, "patch": patch})

    def training_defaults(self, rows: int, inputs: InputShapes) -> dict[str, Any]:
        """By the formulas above."""
        return one_cycle(rows, self.work(inputs.only), RATE, WEIGHT_DECAY)

    def work(self, of: InputTensor) -> int:
        """By the number of steps and layers."""
        layout, patch = image_layout(of), self.sized(1, InputShapes({"": of})).patch or 1
        length = of.shape[0] if layout is None else math.prod(-(-side // patch) for side in layout.shape[1:])
        return WORK * length * self.depth

    def fits(self, of: InputTensor) -> bool:
        """Texts, images, and what can be read as one."""
        return (of.ids is not None and len(of.shape) == 1) or image_layout(of) is not None

    def encoder(self, of: InputTensor) -> Encoder:
        """The mean of the last layer's answers."""
        made = self.sized(1, InputShapes({"": of}))
        steps, length = made._steps(of)
        return Transformer(
            steps, length, self.dim, self.depth, made.attention_heads or 1, self.dropout, ids=of.ids is not None
        )

    def _steps(self, of: InputTensor) -> tuple[nn.Module, int]:
        if of.ids is not None:
            return Tokens(of.ids, self.dim), of.shape[0]
        layout = image_layout(of)
        assert layout is not None  # noqa: S101 - it fits
        patches = Patches(layout, self.patch or 1, self.dim)
        return patches, patches.count

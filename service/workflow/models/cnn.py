"""A small ResNet, the default for images."""

import math
from typing import Annotated, Literal

from pydantic import Field

from service.workflow.models.encoder_kind import EncoderKind
from service.workflow.models.encoders import ConvNet, Encoder, image_layout
from service.workflow.models.input_shapes import InputTensor
from service.workflow.spec_base import COUNTED

Channels = Annotated[int, Field(ge=1, le=4096), COUNTED]
UNHALVED = 48  # pixels of the shorter side, below which the stem keeps them all


class CNNSpec(EncoderKind):
    """A small ResNet for images [C, H, W] and tensors of 2 or 3 dimensions."""

    takes = "an image or a tensor of 2 or 3 dimensions"

    kind: Literal["cnn"] = "cnn"
    channels: list[Channels] = Field(default=[16, 32, 64], min_length=1, max_length=12, description="of each stage")
    blocks: int = Field(default=1, ge=1, le=64, description="of two convolutions, in each stage")
    residual: bool = Field(default=True, description="adds a block's input to its output")
    pooling: Literal["avg", "max"] = Field(default="avg", description="of the last stage's pixels")

    def fits(self, of: InputTensor) -> bool:
        """Images, and what can be read as one."""
        return image_layout(of) is not None

    def encoder(self, of: InputTensor) -> Encoder:
        """The network up to its pooling."""
        layout = image_layout(of)
        assert layout is not None  # noqa: S101 - it fits
        return ConvNet(layout, self.channels, self.blocks, self.residual, self.pooling, halvings(layout.side))


def halvings(side: int) -> int:
    """How often the stem halves the sides: so that the shorter one is below 48 pixels."""
    return max(0, math.ceil(math.log2((side + 1) / UNHALVED)))

"""A small ResNet, the default for images."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from service.workflow.models.encoder_kind import EncoderKind
from service.workflow.models.encoders import ConvNet, Encoder, image_layout
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.recipes import one_cycle
from service.workflow.spec_base import COUNTED

Channels = Annotated[int, Field(ge=1, le=4096), COUNTED]
CHANNELS = [16, 32, 64, 128]
RATE, WEIGHT_DECAY, SMOOTHING = 0.01, 0.05, 0.05
UNHALVED = 48  # pixels of the shorter side, below which the stem keeps them all


class CNNSpec(EncoderKind):
    """A small ResNet for images [C, H, W] and tensors of 2 or 3 dimensions.

    Defaults: `channels` [16, 32, 64] where the shorter side is below 48 pixels, else [16, 32, 64, 128], behind a stem that halves
    the sides until the shorter one is. Training defaults: `one_cycle` of `recipes.py` by the pixels behind the stem, with a
    learning rate of 0.01, weight decay 0.05, and label smoothing 0.05 for classes.
    """

    takes = "an image or a tensor of 2 or 3 dimensions"

    kind: Literal["cnn"] = "cnn"
    channels: list[Channels] | None = Field(default=None, min_length=1, max_length=12, description="of each stage")
    blocks: int = Field(default=1, ge=1, le=64, description="of two convolutions, in each stage")
    residual: bool = Field(default=True, description="adds a block's input to its output")
    pooling: Literal["avg", "max"] = Field(default="avg", description="of the last stage's pixels")

    def sized(self, rows: int, inputs: InputShapes) -> Self:
        """With the default for its channels."""
        layout = image_layout(inputs.only)
        if self.channels is not None or layout is None:
            return self
        return self.model_copy(update={"channels": CHANNELS if halvings(layout.side) else CHANNELS[:3]})

    def training_defaults(self, rows: int, inputs: InputShapes) -> dict[str, Any]:
        """By the formulas above."""
        return {**one_cycle(rows, self.work(inputs.only), RATE, WEIGHT_DECAY), "loss": {"label_smoothing": SMOOTHING}}

    def work(self, of: InputTensor) -> int:
        """The pixels behind the stem."""
        layout = image_layout(of)
        return 1 if layout is None else max(1, math.prod(layout.shape[1:]) // 4 ** halvings(layout.side))

    def fits(self, of: InputTensor) -> bool:
        """Images, and what can be read as one."""
        return image_layout(of) is not None

    def encoder(self, of: InputTensor) -> Encoder:
        """The network up to its pooling."""
        layout = image_layout(of)
        assert layout is not None  # noqa: S101 - it fits
        channels = self.sized(1, InputShapes({"": of})).channels or CHANNELS
        return ConvNet(layout, channels, self.blocks, self.residual, self.pooling, halvings(layout.side))


def halvings(side: int) -> int:
    """How often the stem halves the sides: so that the shorter one is below 48 pixels."""
    return max(0, math.ceil(math.log2((side + 1) / UNHALVED)))

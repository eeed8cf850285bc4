"""LSTM and GRU over the words of a text, the frames of a video, or rows of steps."""

import math
from typing import Any, Literal

from pydantic import Field
from torch import nn

from service.workflow.models.cnn import halvings
from service.workflow.models.encoder_kind import EncoderKind
from service.workflow.models.encoders import ConvNet, Encoder, ImageLayout, Recurrent, Steps, Tokens
from service.workflow.models.encoders.image import layout_of
from service.workflow.models.encoders.sequence import Cell
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.recipes import one_cycle

FRAME_CHANNELS = [16, 32, 64]
RATE, WEIGHT_DECAY, WORK = 0.005, 0.01, 32


class RecurrentSpec(EncoderKind):
    """A recurrent network over time, which comes first; the mean of its outputs. Ids have embeddings of `hidden` numbers, and
    each frame of a video goes through a `cnn` first.

    Training defaults: `one_cycle` of `recipes.py` with a work of 32 for a step of each layer, and that of a frame's `cnn`, a
    learning rate of 0.005 and weight decay 0.01.
    """

    takes = "a text, a video, or a tensor of 2 or 4 dimensions, of which the first is time"

    in_order = True

    kind: Literal["recurrent"] = "recurrent"
    cell: Cell = "GRU"
    hidden: int = Field(default=64, ge=1, le=4096)
    layers: int = Field(default=1, ge=1, le=16)
    bidirectional: bool = Field(default=True, description="also reads backwards")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="between its layers")

    def training_defaults(self, rows: int, inputs: InputShapes) -> dict[str, Any]:
        """By the formulas above."""
        return one_cycle(rows, self.work(inputs.only), RATE, WEIGHT_DECAY)

    def work(self, of: InputTensor) -> int:
        """By the number of steps and layers, and the pixels of frames."""
        frame = frame_layout(of)
        pixels = 0 if frame is None else math.prod(frame.shape[1:]) // 4 ** halvings(frame.side)
        return of.shape[0] * (WORK * self.layers + pixels)

    def fits(self, of: InputTensor) -> bool:
        """Texts, rows of numbers in time, and frames."""
        if of.ids is not None:
            return len(of.shape) == 1
        return len(of.shape) == 2 or frame_layout(of) is not None

    def encoder(self, of: InputTensor) -> Encoder:
        """The mean of the outputs."""
        if of.ids is not None:
            return self._over(Tokens(of.ids, self.hidden), self.hidden, ids=True)
        frame = frame_layout(of)
        if frame is None:
            return self._over(None, of.shape[1])
        net = ConvNet(frame, FRAME_CHANNELS, blocks=1, halvings=halvings(frame.side))
        return self._over(Steps(net), net.width)

    def _over(self, steps: nn.Module | None, dim: int, ids: bool = False) -> Encoder:
        both, dropout = self.bidirectional, self.dropout
        return Recurrent(steps, dim, self.cell, self.hidden, self.layers, bidirectional=both, dropout=dropout, ids=ids)


def frame_layout(of: InputTensor) -> ImageLayout | None:
    """How each frame of a video [T, C, H, W], or of a tensor of 4 dimensions, is an image; None if it is neither."""
    return layout_of(of.shape[1:], tensor=not of.channels_first) if len(of.shape) == 4 else None

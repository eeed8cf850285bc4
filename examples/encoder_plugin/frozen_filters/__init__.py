"""A kind of model that an operator installs, whose encoder brings weights of its own: fixed filters, which are not trained."""

from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from service.workflow.models.encoder_kind import EncoderKind
from service.workflow.models.encoders import Encoder, ImageLayout, image_layout
from service.workflow.models.input_shapes import InputTensor

WEIGHTS = Path(__file__).with_name("filters.safetensors")  # written by make_weights.py
FILTERS, SIDE, CELLS = 24, 5, 4


class FrozenFiltersSpec(EncoderKind):
    """How strongly fixed filters answer in each part of an image, and a Linear on that: as {"kind": "frozen_filters"}, or in
    `encoders` of `fusion`."""

    takes = "an image or a tensor of 2 or 3 dimensions"

    kind: Literal["frozen_filters"] = "frozen_filters"

    def fits(self, of: InputTensor) -> bool:
        """Images, and what can be read as one."""
        return image_layout(of) is not None

    def encoder(self, of: InputTensor) -> Encoder:
        """The filters with their weights."""
        layout = image_layout(of)
        if layout is None:
            raise ValueError("this is no image")
        return FilterBank(layout)


class FilterBank(Encoder):
    """From images [n, C, H, W] to the mean strength of each filter's answer in 4 × 4 cells, [n, C · 24 · 16]."""

    def __init__(self, layout: ImageLayout) -> None:
        super().__init__()
        self.layout = layout
        self.width = layout.shape[0] * FILTERS * CELLS**2
        # A parameter, so that the version holds it, and the list of parameters shows that it is not trained. On the meta device,
        # where networks are built before their tensors are loaded, nothing is read.
        weight = torch.empty(FILTERS, 1, SIDE, SIDE)
        self.weight = nn.Parameter(weight if weight.is_meta else load_file(WEIGHTS)["weight"], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """From [n, *tensor] to [n, width]."""
        x = self.layout.channels_first(x)
        sides = self.layout.shape[1:]
        answers = functional.conv2d(x.reshape(-1, 1, *sides), self.weight, padding=SIDE // 2).abs()
        cells: Tensor = functional.adaptive_avg_pool2d(answers, CELLS)
        return cells.reshape(-1, self.width)

"""Transformer encoders of texts, images and rows of steps (Vaswani and others: "Attention is all you need", NeurIPS 2017,
arXiv 1706.03762; with LayerNorm first, Xiong and others, ICML 2020, arXiv 2002.04745; on patches, Dosovitskiy and others, ICLR
2021, arXiv 2010.11929)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.workflow.models.encoders.encoder import Encoder
from service.workflow.models.encoders.image import ImageLayout
from service.workflow.models.encoders.text import mean_of_real

WIDER = 4  # times the width: between the two layers after the attention


class Transformer(Encoder):
    """From steps to the mean of what `depth` layers make of them, [n, dim].

    Args:
        steps: from the input [n, *shape] to [n, length, dim].
        length: the number of steps.
        ids: whether the input is ids [n, length], where 0 is padding: nothing attends to it, and the mean leaves it out.
    """

    def __init__(
        self, steps: nn.Module, length: int, dim: int, depth: int, heads: int, dropout: float, *, ids: bool
    ) -> None:
        super().__init__()
        self.width = dim
        self.ids = ids
        self.steps = steps
        self.positions = nn.Parameter(torch.empty(length, dim).uniform_(-0.02, 0.02))
        self.layers = nn.ModuleList(Layer(dim, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """From [n, *shape] to [n, dim]."""
        real = x != 0 if self.ids else None
        attended = None if real is None else _attended(real)
        x = self.steps(x) + self.positions
        for layer in self.layers:
            x = layer(x, attended)
        return mean_of_real(self.norm(x), real)


def _attended(real: Tensor) -> Tensor:
    """To which steps all attend [n, 1, 1, L]: the real ones, and always the first, as the softmax over none is NaN."""
    first = torch.arange(real.shape[1], device=real.device) == 0
    return (real | first)[:, None, None, :]


class Layer(nn.Module):
    """Self-attention and two fully connected layers, each behind a LayerNorm and beside a shortcut. (torch's own layer takes
    another path in evaluation, which cannot be exported.)"""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm_attention = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.attention = nn.Linear(dim, dim)
        self.norm_inner = nn.LayerNorm(dim)
        self.inner = nn.Sequential(nn.Linear(dim, WIDER * dim), nn.GELU(), nn.Linear(WIDER * dim, dim))

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        """From [n, L, dim] to the same shape; `attended` [n, 1, 1, L] says to which steps."""
        heads = self.query_key_value(self.norm_attention(x)).unflatten(2, (3, self.heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)  # [n, heads, L, dim / heads]
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        x = x + self._dropped(self.attention(found.transpose(1, 2).flatten(2)))
        return x + self._dropped(self.inner(self.norm_inner(x)))

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training) if self.dropout and self.training else x


class Patches(nn.Module):
    """From images to their patches of `size` × `size` pixels, each as a vector [n, patches, dim]; sides are filled up with zeros
    to multiples of the size."""

    def __init__(self, layout: ImageLayout, size: int, dim: int) -> None:
        super().__init__()
        self.layout = layout
        channels, *sides = layout.shape
        self.filled = [0, -sides[1] % size, 0, -sides[0] % size]
        self.count = math.prod(-(-side // size) for side in sides)
        self.project = nn.Conv2d(channels, dim, size, size)

    def forward(self, x: Tensor) -> Tensor:
        """From [n, *tensor] to [n, patches, dim]."""
        x = self.layout.channels_first(x)
        x = functional.pad(x, self.filled) if any(self.filled) else x
        patches: Tensor = self.project(x)
        return patches.flatten(2).transpose(1, 2)

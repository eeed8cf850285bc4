"""TabM, the default for tables: an ensemble in one network (Gorishniy, Kotelnikov, Babenko: "TabM", ICLR 2025,
arXiv 2410.24210, with the batch ensemble of Wen, Tran, Ba, ICLR 2020)."""

import math
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from service.workflow.errors import invalid
from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind
from service.workflow.models.number_embedding import WIDTH, NumberEmbedding
from service.workflow.training import Monitor

LARGE = 2**18  # training rows × encoded columns of a large table
BUDGET = 480_000_000  # training rows × (columns + width) × epochs: about a minute of one core
CAPACITY = 1024  # width × members
# Of a number, and of all numbers together. From 50 on, torch multiplies one row by the 50 × 8 weights of each number in a
# third of the time.
BINS, ALL_BINS, FEWEST_BINS = 50, 2**14, 4


class TabMSpec(ModelKind):
    """MLPs with shared weights and their own scalings, biases and heads, on embedded numbers; the answer is their mean.

    Defaults depend on the table: `width` 256 for a large one (training rows × encoded columns ≥ 2¹⁸), else 128;
    `members` 1024 / width; `dropout` 0 for a large one, else 0.1; `bins` of each normalized number 16,384 / numbers, at most
    50, and 0, which is no embedding, if that is below 4. Training defaults: `batch_size` the power of two below rows / 32,
    within 32 … 256; `epochs` 480,000,000 / (rows × (columns + width)), within 10 … 100; AdamW with weight decay 0.01; early
    stopping watches `mean_answer_loss`.
    """

    monitor: ClassVar[Monitor] = "mean_answer_loss"

    kind: Literal["tabm"] = "tabm"
    width: int | None = Field(default=None, ge=1, le=65_536)
    blocks: int = Field(default=2, ge=1, le=64)
    members: int | None = Field(default=None, ge=1, le=1024)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    bins: int | None = Field(
        default=None, ge=0, le=256, description="of the piecewise-linear embedding of each number; 0 for none"
    )

    def sized(self, rows: int, inputs: InputShapes) -> Self:
        """With the defaults for its sizes."""
        large = rows * inputs.features >= LARGE
        width = self.width or (256 if large else 128)
        dropout = self.dropout if self.dropout is not None else 0.0 if large else 0.1
        members = self.members or max(1, CAPACITY // width)
        if self.bins and not inputs.normalized:
            raise invalid("/model/bins", "no feature is a normalized number, and only those have bins; leave it out")
        bins = self.bins if self.bins is not None else _bins(inputs.normalized)
        return self.model_copy(update={"width": width, "members": members, "dropout": dropout, "bins": bins})

    def training_defaults(self, rows: int, inputs: InputShapes) -> dict[str, Any]:
        """By the formulas above; `rows` is at least 1."""
        width = self.sized(rows, inputs).width or 0
        return {
            "epochs": min(max(BUDGET // (rows * (inputs.features + width)), 10), 100),
            "batch_size": min(2 ** min(max(int(math.log2(max(rows, 32) / 32)), 5), 8), rows),
            "optimizer": {"name": "AdamW", "lr": 1e-3, "weight_decay": 1e-2},
        }

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """A new network."""
        made = self.sized(1, inputs)
        width, members, dropout = made.width or 1, made.members or 1, made.dropout or 0.0
        # A spec that was recorded before there were embeddings has no `bins`.
        embedding = NumberEmbedding(inputs.normalized, self.bins) if self.bins and inputs.normalized else None
        return TabM(inputs.features, outputs, width, made.blocks, members, dropout, head, embedding)


def _bins(numbers: int) -> int:
    bins = min(BINS, ALL_BINS // numbers) if numbers else 0
    return bins if bins >= FEWEST_BINS else 0


class TabM(nn.Module):
    """From features [n, d] to the members' outputs [members · n, outputs], member after member: its loss is the mean
    of the members' losses, and an answer the mean of the members' answers."""

    def __init__(
        self,
        features: int,
        outputs: int,
        width: int,
        blocks: int,
        members: int,
        dropout: float,
        head: nn.Module | None,
        embedding: NumberEmbedding | None = None,
    ) -> None:
        super().__init__()
        self.members = members
        self.embedding = embedding
        if embedding is not None:
            features += (WIDTH - 1) * embedding.numbers
        widths = [features, *[width] * blocks]
        self.blocks = nn.ModuleList(
            Block(widths[i], widths[i + 1], members, dropout, signs=i == 0) for i in range(blocks)
        )
        self.weight = nn.Parameter(_uniform(width, members, width, outputs))
        self.bias = nn.Parameter(_uniform(width, members, 1, outputs))
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """From [n, d] to [members · n, outputs]."""
        if self.embedding is not None:
            x = self.embedding(x)
        for block in self.blocks:
            x = block(x)
        outputs = torch.baddbmm(self.bias, x, self.weight).flatten(0, 1)
        return outputs if self.head is None else self.head(outputs)


class Block(nn.Module):
    """dropout(relu(((x · r) @ weight) · s + bias)): `weight` [features, width] is shared, `r`, `s` and `bias` are each
    member's own. The first block's `r` are random signs, so that the members see different features."""

    def __init__(self, features: int, width: int, members: int, dropout: float, signs: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(features, features, width))
        self.r = nn.Parameter(torch.ones(members, 1, features))
        if signs:  # in place: a new tensor on the meta device would load torch.compile
            with torch.no_grad():
                self.r.random_(0, 2).mul_(2.0).sub_(1.0)
        self.s = nn.Parameter(torch.ones(members, 1, width))
        self.bias = nn.Parameter(_uniform(features, members, 1, width))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """From [n, features] or [members, n, features] to [members, n, width]."""
        x = torch.relu(torch.addcmul(self.bias, (x * self.r) @ self.weight, self.s))
        return nn.functional.dropout(x, self.dropout, self.training) if self.dropout and self.training else x


def _uniform(fan_in: int, *shape: int) -> Tensor:
    """Initialised as nn.Linear: uniform within ± 1 / √fan_in."""
    return torch.empty(*shape).uniform_(-(fan_in**-0.5), fan_in**-0.5)

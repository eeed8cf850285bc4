"""Step 2, split: train, validation and test, in this order."""

import hashlib
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from service.workflow.errors import Fault, InvalidSpec
from service.workflow.specification import Specification

PARTS = ("train", "validation", "test")
DEFAULT = {"train": 0.7, "validation": 0.15, "test": 0.15}
Part = Annotated[int | float | None, Field(ge=0, description="a fraction up to 1, or a count of rows above 1")]


class SplitSpec(Specification):
    """Which share of the rows trains, validates and tests. Named parts sum to 1, or to the number of rows; parts not
    named are 0, but an absent `train` takes the rest."""

    train: Part = None
    validation: Part = None
    test: Part = None
    shuffle: bool = True
    seed: int | None = Field(default=None, ge=0, lt=2**63, description="of the shuffle; the training's when absent")


@dataclass(frozen=True)
class Split:
    """The rows of each part, as int64 indices into the table."""

    train: torch.Tensor
    validation: torch.Tensor
    test: torch.Tensor

    def part(self, name: str) -> torch.Tensor:
        """The rows of the part of that name."""
        rows: torch.Tensor = getattr(self, name)
        return rows

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each part's row indices (little-endian int64)."""
        return {name: hashlib.sha256(self.part(name).numpy().astype("<i8").tobytes()).hexdigest() for name in PARTS}


def resolve(spec: SplitSpec | None, seed: int) -> SplitSpec:
    """The split with every default filled in; an absent `train` beside named parts stays so: it depends on the rows."""
    spec = spec or SplitSpec()
    named = {name: value for name in PARTS if (value := getattr(spec, name)) is not None} or DEFAULT
    filled = {name: named.get(name, None if name == "train" else 0) for name in PARTS}
    return spec.model_copy(update=filled | {"seed": seed if spec.seed is None else spec.seed})


def sizes(spec: SplitSpec, rows: int) -> dict[str, int]:
    """How many rows each part of a resolved split has.

    Raises:
        InvalidSpec: the parts do not sum to 1 or to the rows, or nothing is left to train on.
    """
    named = {name: value for name in PARTS if (value := getattr(spec, name)) is not None}
    whole = rows if any(value > 1 for value in named.values()) else 1
    rest = whole - sum(named.values())
    if whole == rows and rows > 1:
        _check_counts(named)
    if spec.train is None:
        named["train"], rest = max(rest, 0), min(rest, 0)
    if abs(rest) > 1e-6:
        raise InvalidSpec(Fault("/split", f"the parts sum to {whole - rest:g}; they must sum to {whole} ({rows} rows)"))
    cuts, total = [0], 0.0
    for name in PARTS:
        total += named.get(name, 0) / whole
        cuts.append(min(round(rows * total), rows))
    counts = {name: cuts[i + 1] - cuts[i] for i, name in enumerate(PARTS)}
    if counts["train"] == 0:
        raise InvalidSpec(Fault("/split/train", f"no row is left to train on, of {rows}"))
    return counts


def split(spec: SplitSpec, rows: int) -> Split:
    """The rows of each part: in order, or shuffled by a generator of its own."""
    counts = sizes(spec, rows)
    if spec.shuffle:
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(spec.seed or 0))
    else:
        order = torch.arange(rows)
    return Split(*order.split([counts[name] for name in PARTS]))


def _check_counts(named: dict[str, int | float]) -> None:
    for name, value in named.items():
        if value not in (0,) and (value <= 1 or not float(value).is_integer()):
            message = f"{value} is a fraction, and another part is a count of rows: use one or the other"
            raise InvalidSpec(Fault(f"/split/{name}", message))

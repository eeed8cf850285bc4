"""Step 8, the training loop: forward, loss, zero_grad, backward, step; evaluate."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from service.workflow.errors import TrainingDiverged
from service.workflow.specification import Specification

EVALUATION_ROWS = 8192

Report = Callable[[int, dict[str, float]], None]


class TrainingLoopSpec(Specification):
    """How long, in what steps, and from which seed."""

    epochs: int = Field(default=100, ge=0, le=10_000_000)
    batch_size: int | Literal["full"] = Field(default=256, description='rows in a step, or "full"')
    seed: int = Field(default=0, ge=0, lt=2**63)


@dataclass(frozen=True)
class Examples:
    """Encoded features [n, d] and encoded targets, resident in memory."""

    features: torch.Tensor
    targets: torch.Tensor

    def __len__(self) -> int:
        return len(self.features)


def train(
    network: nn.Module,
    loss: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: dict[str, Examples],
    spec: TrainingLoopSpec,
    report: Report,
) -> None:
    """Trains the network in place, and reports each epoch's losses, in the trained scale.

    Raises:
        TrainingDiverged: a loss is NaN or infinite; the epoch is named.
    """
    for epoch, batches in enumerate(_epochs(parts["train"], spec), start=1):
        network.train()
        total = torch.zeros(())
        for features, targets in batches:
            output = network(features)
            value = loss(output, targets)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.detach() * len(features)
        losses = {"train_loss": total.item() / len(parts["train"])}
        if len(parts["validation"]):
            losses["validation_loss"] = evaluate(network, loss, parts["validation"])
        _check_finite(epoch, losses)
        report(epoch, losses)
    network.eval()


@torch.inference_mode()
def evaluate(network: nn.Module, loss: nn.Module, examples: Examples) -> float:
    """The mean loss over the examples, in the trained scale."""
    network.eval()
    total = 0.0
    for features, targets in zip(
        examples.features.split(EVALUATION_ROWS), examples.targets.split(EVALUATION_ROWS), strict=True
    ):
        total += loss(network(features), targets).item() * len(features)
    return total / len(examples)


def _epochs(examples: Examples, spec: TrainingLoopSpec) -> Iterator[Iterator[tuple[torch.Tensor, torch.Tensor]]]:
    """The batches of each epoch: the whole part at once, or shuffled anew by a generator of their own."""
    if spec.batch_size == "full" or spec.batch_size >= len(examples):
        for _ in range(spec.epochs):
            yield iter(((examples.features, examples.targets),))
        return
    generator = torch.Generator().manual_seed(spec.seed)
    for _ in range(spec.epochs):
        order = torch.randperm(len(examples), generator=generator)
        yield ((examples.features[rows], examples.targets[rows]) for rows in order.split(spec.batch_size))


def _check_finite(epoch: int, losses: dict[str, float]) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"{name} became {value} in epoch {epoch}; a smaller learning rate, or normalized data, may help"
            )

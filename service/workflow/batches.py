"""The examples of a part, and the batches of each epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from service.workflow.state import State
from service.workflow.training import ResolvedSettings

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Examples:
    """Encoded features [n, d] and encoded targets, resident in the memory of the device."""

    features: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return self.features.shape[0]


class Batches:
    """The batches of one epoch after the other: the whole part at once, or shuffled anew by a generator of their own."""

    def __init__(self, examples: Examples, settings: ResolvedSettings) -> None:
        self._examples = examples
        size = settings.batch_size
        self._size = None if size == "full" or size >= len(examples) else size
        self._together = settings.accumulation_steps
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._before = self._generator.get_state() if self._size else None  # the generator, before the last shuffle

    def next_epoch(self, skipped: int = 0) -> Iterator[tuple[Batch, ...]]:
        """The batches of the next epoch, in groups that make a step each; so many steps are skipped."""
        return self._grouped(self._shuffled(skipped * self._together))

    def _shuffled(self, skipped: int) -> Iterator[Batch]:
        examples = self._examples
        if self._size is None:
            return iter(((examples.features, examples.targets),)[skipped:])
        self._before = self._generator.get_state()
        order = torch.randperm(len(examples), generator=self._generator).to(examples.features.device)
        cuts = _cut(order, self._size)[skipped:]
        return ((examples.features[rows], examples.targets[rows]) for rows in cuts)

    def _grouped(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, ...]]:
        size = self._together
        return zip(batches, strict=True) if size == 1 else iter(lambda: tuple(islice(batches, size)), ())

    def state(self) -> State:
        """Where the generator was before it shuffled the epoch under way."""
        return {"generator": self._before}

    def load(self, state: State) -> None:
        """Goes back to where another was when it shuffled the epoch that was under way, which comes next again."""
        if state["generator"] is not None:
            self._generator.set_state(state["generator"])


def _cut(order: Tensor, size: int) -> list[Tensor]:
    """Batches of so many rows. A last row alone joins the batch before: BatchNorm cannot learn from one row."""
    cuts = list(order.split(size))
    if len(cuts) > 1 and len(cuts[-1]) == 1:
        cuts[-2:] = [torch.cat(cuts[-2:])]
    return cuts

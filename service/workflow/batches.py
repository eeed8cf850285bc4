"""The batches of each epoch."""

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Generator, Tensor

from service.workflow.examples import Examples
from service.workflow.input_tensors import Tensors
from service.workflow.state import State
from service.workflow.training import ResolvedSettings

Batch = tuple[Tensors, Tensor]  # what the network takes, and the targets
MOST_SEED = 2**63


class TrainingBatches:
    """The batches of each epoch: all rows in one, or batches of rows shuffled anew by a generator of its own. Augmentation has
    another generator for each batch, whose seed follows from the training's, the epoch and the position of the batch: so a
    training that is continued in the middle of an epoch changes each batch as if it had not stopped."""

    def __init__(self, examples: Examples, settings: ResolvedSettings) -> None:
        self._examples = examples
        size = settings.batch_size
        self._size = None if size == "full" or size >= len(examples) else size
        self._accumulated = settings.accumulation_steps
        self._seed = settings.seed
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._before_shuffle = self._generator.get_state() if self._size else None

    def next_epoch(self, epoch: int, skipped: int = 0) -> Iterator[tuple[Batch, ...]]:
        """The batches of the next epoch, which has this number, in one group a step. The first `skipped` steps are left out."""
        size, batches = self._accumulated, self._shuffled(epoch, skipped * self._accumulated)
        return zip(batches, strict=True) if size == 1 else iter(lambda: tuple(islice(batches, size)), ())

    def _shuffled(self, epoch: int, skipped: int) -> Iterator[Batch]:
        examples = self._examples
        if self._size is None:
            everything = slice(None)
            return (
                (examples.batch(everything, self._augmenting(epoch, 0)), examples.targets) for _ in range(1 - skipped)
            )
        self._before_shuffle = self._generator.get_state()
        order = torch.randperm(len(examples), generator=self._generator)
        if examples.rows is None:
            order = order.to(examples.targets.device)
        cuts = cut(order, self._size)
        return (
            (examples.batch(cuts[at], self._augmenting(epoch, at)), examples.targets[cuts[at]])
            for at in range(skipped, len(cuts))
        )

    def _augmenting(self, epoch: int, batch: int) -> Generator | None:
        if self._examples.augment is None:
            return None
        return Generator().manual_seed((self._seed * 1_000_003 + epoch) * 1_000_003 % MOST_SEED ^ batch)

    def state(self) -> State:
        """The generator's state before it shuffled the current epoch."""
        return {"generator": self._before_shuffle}

    def load(self, state: State) -> None:
        """Restores a state; the epoch that was current then comes next."""
        if state["generator"] is not None:
            self._generator.set_state(state["generator"])


def cut(order: Tensor, size: int) -> list[Tensor]:
    """Batches of `size` rows. A single last row joins the batch before it: BatchNorm cannot learn from one row."""
    cuts = list(order.split(size))
    if len(cuts) > 1 and len(cuts[-1]) == 1:
        cuts[-2:] = [torch.cat(cuts[-2:])]
    return cuts

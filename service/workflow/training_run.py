"""The run of a training: all that changes while it runs, to be saved after any step and gone on with from there."""

import torch
from torch import Tensor

from service.workflow.batches import Examples, TrainingBatches
from service.workflow.budget import Budget
from service.workflow.early_stopping import EarlyStopper
from service.workflow.errors import CheckpointUnfit
from service.workflow.learner import Learner
from service.workflow.state import State


class TrainingRun:
    """Where a training is: before its first epoch, or in an epoch after some of its steps."""

    def __init__(self, learner: Learner, examples: Examples) -> None:
        self.learner = learner
        self.batches = TrainingBatches(examples, learner.settings)
        self.watch = EarlyStopper(learner.settings.early_stopping)
        self.budget = Budget(learner.settings)
        self.epoch = 1
        self.values: list[Tensor] = []  # the loss of each step of this epoch
        self.rows: list[int] = []  # and how many rows each was taken on
        self._device = examples.features.device

    def next_epoch(self) -> None:
        """The epoch has ended."""
        self.epoch += 1
        self.values, self.rows = [], []

    def state(self) -> State:
        """What `load` takes; to be asked for after a step. Its tensors are the training's own: write them, or copy them,
        before the next step."""
        cuda = self._device.type == "cuda"
        return {
            "epoch": self.epoch,
            "values": torch.stack(self.values),
            "rows": torch.tensor(self.rows),
            "learner": self.learner.state(),
            "batches": self.batches.state(),
            "watch": self.watch.state(),
            "budget": self.budget.state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self._device) if cuda else None,
        }

    def load(self, state: State) -> None:
        """Goes on where another run of the same spec on the same data was.

        Raises:
            CheckpointUnfit: it was not of the same spec; this run and its learner are not to be used any more.
        """
        try:
            self.learner.load(state["learner"])
            self.batches.load(state["batches"])
            self.watch.load(state["watch"])
            self.budget.load(state["budget"])
            self.epoch, self.rows = state["epoch"], state["rows"].tolist()
            self.values = list(state["values"].to(self._device).unbind())
            torch.set_rng_state(state["random"])
            if self._device.type == "cuda" and state["random_cuda"] is not None:
                torch.cuda.set_rng_state(state["random_cuda"], self._device)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # whatever torch raises at what another of its versions has written
            raise CheckpointUnfit from error

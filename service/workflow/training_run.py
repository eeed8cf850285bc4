"""The changing state of a training, which can be saved after any step and continued from there."""

import torch
from torch import Tensor

from service.workflow.batches import TrainingBatches
from service.workflow.budget import Budget
from service.workflow.early_stopping import EarlyStopper
from service.workflow.errors import CheckpointUnfit
from service.workflow.examples import Examples
from service.workflow.learner import Learner
from service.workflow.state import State


class TrainingRun:
    """A training before its first epoch, or in an epoch after some of its steps."""

    def __init__(self, learner: Learner, examples: Examples) -> None:
        self.learner = learner
        self.batches = TrainingBatches(examples, learner.settings)
        self.stopper = EarlyStopper(learner.settings.early_stopping)
        self.budget = Budget(learner.settings)
        self.epoch = 1
        self.values: list[Tensor] = []  # the loss of each step of this epoch
        self.rows: list[int] = []  # the number of rows in each step
        self._device = examples.targets.device

    def next_epoch(self) -> None:
        """Begins the next epoch."""
        self.epoch += 1
        self.values, self.rows = [], []

    def state(self) -> State:
        """What `load` takes; call it after a step. The tensors are not copied: write or copy them before the next step."""
        cuda = self._device.type == "cuda"
        return {
            "epoch": self.epoch,
            "values": torch.stack(self.values),
            "rows": torch.tensor(self.rows),
            "learner": self.learner.state(),
            "batches": self.batches.state(),
            "watch": self.stopper.state(),
            "budget": self.budget.state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self._device) if cuda else None,
        }

    def load(self, state: State) -> None:
        """Continues from the state of a training with the same spec and data.

        Raises:
            CheckpointUnfit: it is of another spec; this object and its learner cannot be used afterwards.
        """
        try:
            self.learner.load(state["learner"])
            self.batches.load(state["batches"])
            self.stopper.load(state["watch"])
            self.budget.load(state["budget"])
            self.epoch, self.rows = state["epoch"], state["rows"].tolist()
            self.values = list(state["values"].to(self._device).unbind())
            torch.set_rng_state(state["random"])
            if self._device.type == "cuda" and state["random_cuda"] is not None:
                torch.cuda.set_rng_state(state["random_cuda"], self._device)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # torch raises any error for a state that another version of it wrote
            raise CheckpointUnfit from error

"""One of the trials that are trained together: what is its own beside its row of parameters."""

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from service.workflow import optimizers
from service.workflow.divergence import check_finite
from service.workflow.early_stopping import EarlyStopper
from service.workflow.errors import TrainingDiverged
from service.workflow.schedulers import LearningRateSchedule
from service.workflow.spec import ResolvedSpec
from service.workflow.state import State
from service.workflow.torch_registry import arguments_of, name_of


class Row(nn.Module):
    """A row of parameters, which early stopping keeps and restores like a network's."""

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", values)


class Trial:
    """A trial before its first epoch, or after some.

    Args:
        number: its position among all trials.
        spec: its own.
        generator: what its dropout draws from.
        row: its parameters [width].
    """

    def __init__(self, number: int, spec: ResolvedSpec, generator: Generator, row: Tensor) -> None:
        self.number = number
        self.row = Row(row)
        self.losses: list[dict[str, float]] = []  # of each epoch
        self.kept = 0  # the epoch whose parameters the row has when the trial has ended; 0 for those that it began with
        self.ended = False
        self.failure: str | None = None  # if a number became NaN or infinite
        self.decay: float = arguments_of(spec.optimizer)["weight_decay"]
        self.dropout: float = getattr(spec.model, "dropout", 0.0)
        self.generator = generator
        self._order = Generator().manual_seed(spec.training.seed)
        self._before_order = self._order.get_state()
        self._stopper = EarlyStopper(spec.training.early_stopping)
        self._stops = spec.training.early_stopping is not None
        # torch's schedulers change the learning rate of an optimizer: this one has no other use.
        cls = optimizers.REGISTRY.classes[name_of(spec.optimizer)]
        self._optimizer: Any = cls([nn.Parameter(torch.zeros(1))], **arguments_of(spec.optimizer))
        self._optimizer._opt_called = True  # else torch warns that it has not stepped yet
        self._schedule = LearningRateSchedule(spec.scheduler, [self._optimizer])
        self.scheduled = bool(self._schedule.schedulers)

    @property
    def rate(self) -> float:
        """Its learning rate now."""
        rate: float = self._optimizer.param_groups[0]["lr"]
        return rate

    def order(self, rows: int) -> Tensor:
        """The order of the training rows in the next epoch, int64 [rows]: the one that it would have alone."""
        self._before_order = self._order.get_state()
        return torch.randperm(rows, generator=self._order)

    def after_step(self) -> None:
        """Call after each step."""
        self._scheduled(self._schedule.after_step)

    def after_epoch(self, epoch: int, losses: dict[str, float]) -> None:
        """Call after each epoch with its losses: ends the trial where they are not finite, and where it no longer improves."""
        if self.ended:
            return
        try:
            check_finite(epoch, losses)
        except TrainingDiverged as error:
            self.ended, self.failure = True, str(error)
            return
        self.losses.append(losses)
        self._scheduled(lambda: self._schedule.after_epoch(losses.get("validation_loss", losses["train_loss"])))
        self.ended = self._stopper.ends(losses, self.row) or self.ended
        if not self._stops or self._stopper.state()["waited"] == 0:
            self.kept = epoch
        if self.ended:
            self.restore_best()

    def restore_best(self) -> None:
        """Gives the row the best parameters, if early stopping has kept some."""
        self._stopper.restore_best(self.row)

    def _scheduled(self, advance: Any) -> None:
        try:
            advance()
        except ArithmeticError as error:
            self.ended, self.failure = True, f"the scheduler cannot calculate its step ({error})"
        else:
            if not math.isfinite(self.rate):
                self.ended, self.failure = True, f"the learning rate became {self.rate}"

    def state(self) -> State:
        """What `load` takes. The tensors are not copied."""
        names = list(self.losses[0]) if self.losses else []
        return {
            "row": self.row.values,
            "losses": {name: torch.tensor([each[name] for each in self.losses], dtype=torch.float64) for name in names},
            "kept": self.kept,
            "ended": self.ended,
            "failure": self.failure,
            "dropout": self.generator.get_state(),
            "order": self._before_order,
            "stopper": self._stopper.state(),
            "schedule": self._schedule.state(),
            "rate": self.rate,
        }

    def load(self, state: State) -> None:
        """Restores a state; the epoch that was current then comes next.

        Raises:
            KeyError, ValueError, TypeError, RuntimeError: it is of another trial.
        """
        self.row.values.copy_(state["row"])
        columns = {name: values.tolist() for name, values in state["losses"].items()}
        self.losses = [dict(zip(columns, each, strict=True)) for each in zip(*columns.values(), strict=True)]
        self.kept, self.ended, self.failure = state["kept"], state["ended"], state["failure"]
        self.generator.set_state(state["dropout"])
        self._order.set_state(state["order"])
        self._before_order = state["order"]
        self._stopper.load(state["stopper"])
        self._schedule.load(state["schedule"])
        self._optimizer.param_groups[0]["lr"] = state["rate"]

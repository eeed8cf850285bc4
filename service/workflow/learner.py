"""What a training changes: the network, and all that steers it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from service.workflow.schedulers import Schedule
from service.workflow.state import State
from service.workflow.training import ResolvedSettings


@dataclass
class Learner:
    """The network, its loss, and what makes its steps."""

    network: nn.Module
    loss: nn.Module
    sums: bool  # whether the loss is the sum over a batch's rows, not their mean
    optimizers: list[Optimizer]
    schedule: Schedule
    settings: ResolvedSettings
    averaged: AveragedModel | None = None
    steps: list[Callable[[], Any]] = field(init=False)
    parameters: list[nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = list(self.network.parameters())
        if self.settings.ema is not None:
            average = get_ema_multi_avg_fn(self.settings.ema.decay)
            self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        # A scheduler counts the calls of `optimizer.step`, and so needs it as it is.
        scheduled = bool(self.schedule.schedulers)
        self.steps = [each.step if scheduled else _bare_step(each) for each in self.optimizers]

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated and kept: the averaged one, if there is an average."""
        judged: nn.Module = self.network if self.averaged is None else self.averaged.module
        return judged

    def state(self) -> State:
        """What `load` takes. Its tensors are the learner's own, and change with its next step."""
        return {
            "network": self.network.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "schedule": self.schedule.state(),
            "optimizers": [each.state_dict() for each in self.optimizers],
        }

    def load(self, state: State) -> None:
        """Goes back to where another learner of the same spec was.

        Raises:
            KeyError, ValueError, TypeError, RuntimeError: it was not of the same spec.
        """
        self.network.load_state_dict(state["network"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.schedule.load(state["schedule"])
        for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)


def _bare_step(optimizer: Optimizer) -> Callable[[], Any]:
    """The optimizer's step without the wrappers that profile it and look for hooks, which cost more than a small model's
    step itself; to be called under `torch.no_grad`."""
    step = inspect.unwrap(type(optimizer).step)
    return partial(step, optimizer)

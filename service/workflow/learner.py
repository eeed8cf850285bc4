"""What a training step changes: the network, its loss, optimizers and scheduler."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from service.workflow import losses, optimizers
from service.workflow.freezing import frozen_norms
from service.workflow.mean_answer import OfMeanAnswer
from service.workflow.model import Model
from service.workflow.schedulers import LearningRateSchedule
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.state import State
from service.workflow.training import ResolvedSettings


@dataclass
class Learner:
    """The network, its loss, and what updates it."""

    network: nn.Module
    loss: nn.Module
    sums: bool  # whether the loss is the sum over a batch's rows rather than the mean
    optimizers: list[Optimizer]
    schedule: LearningRateSchedule
    settings: ResolvedSettings
    watched: nn.Module | None = None  # what early stopping watches on the validation part, if that is not the loss
    averaged: AveragedModel | None = None
    steps: list[Callable[[], Any]] = field(init=False)
    parameters: list[nn.Parameter] = field(init=False)  # those that are trained

    def __post_init__(self) -> None:
        self.parameters = [each for each in self.network.parameters() if each.requires_grad]
        self._frozen_norms = frozen_norms(self.network)
        self.train_mode()
        if self.settings.ema is not None:
            average = get_ema_multi_avg_fn(self.settings.ema.decay)
            self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        # A scheduler counts the calls of `optimizer.step`, so it needs the wrapped method.
        scheduled = bool(self.schedule.schedulers)
        self.steps = [each.step if scheduled else _bare_step(each) for each in self.optimizers]

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated and saved: the averaged one, if weights are averaged."""
        judged: nn.Module = self.network if self.averaged is None else self.averaged.module
        return judged

    def train_mode(self) -> None:
        """Sets the network to training mode, except for frozen modules with running statistics."""
        self.network.train()
        for each in self._frozen_norms:
            each.eval()

    def state(self) -> State:
        """What `load` takes. The tensors are not copied, and change with the next step."""
        return {
            "network": self.network.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "schedule": self.schedule.state(),
            "optimizers": [each.state_dict() for each in self.optimizers],
        }

    def load(self, state: State) -> None:
        """Restores the state of a learner with the same spec.

        Raises:
            KeyError, ValueError, TypeError, RuntimeError: it is of another spec.
        """
        self.network.load_state_dict(state["network"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.schedule.load(state["schedule"])
        for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)


def _bare_step(optimizer: Optimizer) -> Callable[[], Any]:
    """The optimizer's step without torch's wrappers for profiling and hooks, which cost more than the step of a small model.
    Call it under `torch.no_grad`."""
    return partial(inspect.unwrap(type(optimizer).step), optimizer)


def build_learner(spec: ResolvedSpec, signature: Signature, model: Model, device: torch.device) -> Learner:
    """The learner of a model, whose network it moves to the device."""
    network, loss, sums = model.network.to(device), losses.build(spec.loss, signature), losses.sums(spec.loss)
    chosen = optimizers.build(spec.optimizer, network)
    stopping = spec.training.early_stopping
    by_answer = stopping is not None and stopping.monitor == "mean_answer_loss"
    return Learner(
        network=network,
        loss=(losses.OfEachMember(loss, sums) if model.members > 1 else loss).to(device),
        sums=sums,
        optimizers=chosen,
        schedule=LearningRateSchedule(spec.scheduler, chosen),
        settings=spec.training,
        watched=OfMeanAnswer(loss, model.output, model.members).to(device) if by_answer else None,
    )

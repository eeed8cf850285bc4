"""Step 8, the training loop: forward, loss, zero_grad, backward, step; evaluate."""

import inspect
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from service.workflow.errors import TrainingDiverged
from service.workflow.schedulers import Schedule
from service.workflow.training import EarlyStopping, TrainingSettings

EVALUATION_ROWS = 8192

Report = Callable[[int, dict[str, float]], None]
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Examples:
    """Encoded features [n, d] and encoded targets, resident in the memory of the device."""

    features: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return self.features.shape[0]


@dataclass
class Learner:
    """What a training changes: the network, and all that steers it."""

    network: nn.Module
    loss: nn.Module
    sums: bool  # whether the loss is the sum over a batch's rows, not their mean
    optimizers: list[Optimizer]
    schedule: Schedule
    settings: TrainingSettings
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


def train(learner: Learner, parts: dict[str, Examples], report: Report) -> None:
    """Trains the network in place, and reports each epoch's losses, in the trained scale.

    Raises:
        TrainingDiverged: a loss is NaN or infinite; the epoch is named.
    """
    settings, watch = learner.settings, _Watch(learner.settings.early_stopping)
    budget, validates = _Budget(settings), len(parts["validation"]) > 0
    for epoch, batches in enumerate(_epochs(parts["train"], settings), start=1):
        losses = {"train_loss": _train_epoch(learner, batches, budget)}
        if validates:
            losses["validation_loss"] = evaluate(learner, parts["validation"])
        _check_finite(epoch, losses)
        report(epoch, losses)
        learner.schedule.after_epoch(losses.get("validation_loss", losses["train_loss"]))
        if watch.ends(losses, learner.judged) or budget.spent:
            break
    if learner.averaged is not None:
        learner.network.load_state_dict(learner.averaged.module.state_dict())
    watch.restore_best(learner.network)
    learner.network.eval()


def _train_epoch(learner: Learner, batches: Iterator[Batch], budget: "_Budget") -> float:
    """One pass over the training part; its mean loss a row."""
    if not learner.network.training:
        learner.network.train()
    values: list[Tensor] = []
    counts: list[int] = []
    for group in _grouped(batches, learner.settings.accumulation_steps):
        counts.append(sum([features.shape[0] for features, _ in group]))
        values.append(_step(learner, group))
        learner.schedule.after_step()
        if learner.averaged is not None:
            learner.averaged.update_parameters(learner.network)
        budget.take(counts[-1])
        if budget.spent:
            break
    if learner.sums:
        return torch.stack(values).sum().item() / sum(counts)
    if len(values) == 1:
        return values[0].item()
    rows = torch.tensor(counts, dtype=torch.float32, device=values[0].device)
    return (torch.dot(torch.stack(values), rows) / sum(counts)).item()


def _grouped(batches: Iterator[Batch], size: int) -> Iterator[tuple[Batch, ...]]:
    return zip(batches, strict=True) if size == 1 else iter(lambda: tuple(islice(batches, size)), ())


def _step(learner: Learner, group: tuple[Batch, ...]) -> Tensor:
    """One step of the optimizers on the gradients of a group of batches; the loss before it."""
    if isinstance(learner.optimizers[0], LBFGS):
        value: Tensor = learner.optimizers[0].step(lambda: _gradients(learner, group))
        return value.detach()
    value = _gradients(learner, group)
    with torch.no_grad():
        for step in learner.steps:
            step()
    return value.detach()


def _gradients(learner: Learner, group: tuple[Batch, ...]) -> Tensor:
    """Forward, loss, zero_grad, backward; the loss of the whole group."""
    for parameter in learner.parameters:
        parameter.grad = None
    losses = []
    for features, targets in group:
        if learner.settings.precision == "bfloat16":
            with torch.autocast(features.device.type, torch.bfloat16):
                output = learner.network(features).float()
        else:
            output = learner.network(features)
        value = learner.loss(output, targets)
        if len(group) > 1 and not learner.sums:
            value = value / len(group)
        value.backward()
        losses.append(value)
    if learner.settings.gradient_clipping is not None:
        nn.utils.clip_grad_norm_(learner.parameters, learner.settings.gradient_clipping)
    return losses[0] if len(losses) == 1 else torch.stack([each.detach() for each in losses]).sum()


@torch.inference_mode()
def evaluate(learner: Learner, examples: Examples) -> float:
    """The mean loss a row, in the trained scale."""
    network, total = learner.judged, 0.0
    network.eval()
    for start in range(0, len(examples), EVALUATION_ROWS):
        features, targets = (each[start : start + EVALUATION_ROWS] for each in (examples.features, examples.targets))
        value = learner.loss(network(features), targets).item()
        total += value if learner.sums else value * len(features)
    return total / len(examples)


def _bare_step(optimizer: Optimizer) -> Callable[[], Any]:
    """The optimizer's step without the wrappers that profile it and look for hooks, which cost more than a small model's
    step itself; to be called under `torch.no_grad`."""
    step = inspect.unwrap(type(optimizer).step)
    return partial(step, optimizer)


def _epochs(examples: Examples, settings: TrainingSettings) -> Iterator[Iterator[Batch]]:
    """The batches of each epoch: the whole part at once, or shuffled anew by a generator of their own."""
    size, epochs = settings.batch_size, settings.epochs or 0
    if size is None or size == "full" or size >= len(examples):
        for _ in range(epochs):
            yield iter(((examples.features, examples.targets),))
        return
    generator = torch.Generator().manual_seed(settings.seed)
    for _ in range(epochs):
        order = torch.randperm(len(examples), generator=generator).to(examples.features.device)
        yield ((examples.features[rows], examples.targets[rows]) for rows in _cut(order, size))


def _cut(order: Tensor, size: int) -> list[Tensor]:
    """Batches of so many rows. A last row alone joins the batch before: BatchNorm cannot learn from one row."""
    cuts = list(order.split(size))
    if len(cuts) > 1 and len(cuts[-1]) == 1:
        cuts[-2:] = [torch.cat(cuts[-2:])]
    return cuts


class _Watch:
    """Early stopping: remembers the best weights, and says when waiting for better ones has been long enough."""

    def __init__(self, settings: EarlyStopping | None) -> None:
        self._settings = settings
        self._best = math.inf
        self._waited = 0
        self._weights: dict[str, Tensor] | None = None

    def ends(self, losses: dict[str, float], judged: nn.Module) -> bool:
        """To be asked after each epoch."""
        if self._settings is None:
            return False
        value = losses.get(self._settings.monitor, losses["train_loss"])
        if value < self._best - self._settings.min_delta:
            self._best, self._waited = value, 0
            self._weights = {name: tensor.clone() for name, tensor in judged.state_dict().items()}
        else:
            self._waited += 1
        return self._waited >= self._settings.patience

    def restore_best(self, network: nn.Module) -> None:
        """Goes back to the best weights, if there were any."""
        if self._weights is not None:
            network.load_state_dict(self._weights)


class _Budget:
    """The seconds and samples that a training may take."""

    def __init__(self, settings: TrainingSettings) -> None:
        self._until = math.inf if settings.max_seconds is None else time.monotonic() + settings.max_seconds
        self._samples = math.inf if settings.max_samples is None else settings.max_samples
        self.spent = False

    def take(self, rows: int) -> None:
        """Notes the rows of a step."""
        self._samples -= rows
        self.spent = self._samples <= 0 or time.monotonic() >= self._until


def _check_finite(epoch: int, losses: dict[str, float]) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"{name} became {value} in epoch {epoch}; a smaller learning rate, or normalized data, may help"
            )

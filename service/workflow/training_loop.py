"""Step 8, the training loop: forward, loss, zero_grad, backward, step; evaluate."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import LBFGS

from service.workflow.batches import Batch
from service.workflow.divergence import check_finite, divergence
from service.workflow.examples import Examples
from service.workflow.learner import Learner
from service.workflow.state import State
from service.workflow.training_run import TrainingRun

Report = Callable[[int, dict[str, float]], None]
AfterStep = Callable[[Callable[[], State]], None]


def train(
    learner: Learner,
    parts: dict[str, Examples],
    report: Report,
    after_step: AfterStep | None = None,
    saved: State | None = None,
) -> int:
    """Trains the network in place. Returns the epoch whose weights it has then, 0 for none.

    Args:
        parts: the examples of `train` and `validation`.
        report: called with the number and the losses of each epoch, in the trained scale.
        after_step: called after each step with a function that returns the state of the training. It must write or copy the
            state before it returns. A training of the same spec and data continues from that state to the same bits.
        saved: such a state, to continue from.

    Raises:
        TrainingDiverged: a loss or a weight is NaN or infinite, or a step cannot be calculated; the epoch is named.
        CheckpointUnfit: `saved` is of another training.
    """
    run = TrainingRun(learner, parts["train"])
    if saved is not None:
        run.load(saved)
    trained = run.epoch - 1
    while run.epoch <= learner.settings.epochs:
        with divergence(learner, run.epoch):
            losses = {"train_loss": _train_epoch(run, after_step)}
            watched: dict[str, float] = {}
            if len(parts["validation"]):
                losses["validation_loss"], watched = evaluate(learner, parts["validation"])
        check_finite(run.epoch, losses)
        report(run.epoch, losses)
        trained = run.epoch
        with divergence(learner, run.epoch):
            learner.schedule.after_epoch(losses.get("validation_loss", losses["train_loss"]))
        if run.stopper.ends(losses | watched, learner.judged) or run.budget.spent:
            break
        run.next_epoch()
    if learner.averaged is not None:
        learner.network.load_state_dict(learner.averaged.module.state_dict())
    run.stopper.restore_best(learner.network)
    learner.network.eval()
    return trained - run.stopper.waited


def _train_epoch(run: TrainingRun, after_step: AfterStep | None) -> float:
    """The steps that are left of an epoch. Returns the mean loss of its rows."""
    learner, budget, values, rows, state = run.learner, run.budget, run.values, run.rows, run.state
    if not learner.network.training:
        learner.train_mode()
    for group in run.batches.next_epoch(run.epoch, skipped=len(rows)):
        if budget.spent:
            break
        rows.append(sum([targets.shape[0] for _, targets in group]))
        values.append(_step(learner, group))
        learner.schedule.after_step()
        if learner.averaged is not None:
            learner.averaged.update_parameters(learner.network)
        budget.take(rows[-1])
        if after_step is not None:
            after_step(state)
    return _mean(values, rows, learner.sums)


def _mean(values: list[Tensor], rows: list[int], sums: bool) -> float:
    if sums:
        return torch.stack(values).sum().item() / sum(rows)
    if len(values) == 1:
        return values[0].item()
    weights = torch.tensor(rows, dtype=torch.float32, device=values[0].device)
    return (torch.dot(torch.stack(values), weights) / sum(rows)).item()


def _step(learner: Learner, group: tuple[Batch, ...]) -> Tensor:
    """One step of the optimizers on the gradients of a group of batches. Returns the loss before it."""
    if isinstance(learner.optimizers[0], LBFGS):
        value: Tensor = learner.optimizers[0].step(lambda: _gradients(learner, group))
        return value.detach()
    value = _gradients(learner, group)
    with torch.no_grad():
        for step in learner.steps:
            step()
    return value.detach()


def _gradients(learner: Learner, group: tuple[Batch, ...]) -> Tensor:
    """Forward, loss, zero_grad, backward. Returns the loss of the group."""
    for parameter in learner.parameters:
        parameter.grad = None
    losses = []
    for features, targets in group:
        if learner.settings.precision == "bfloat16":
            with torch.autocast(targets.device.type, torch.bfloat16):
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
def evaluate(learner: Learner, examples: Examples) -> tuple[float, dict[str, float]]:
    """The mean loss of the rows, and that of the ensemble's mean answer if it is watched, in the trained scale."""
    network = learner.judged
    measures = {"loss": learner.loss} | ({} if learner.watched is None else {"mean_answer_loss": learner.watched})
    totals = dict.fromkeys(measures, 0.0)
    network.eval()
    for start in range(0, len(examples), examples.rows_at_once):
        rows = slice(start, start + examples.rows_at_once)
        targets = examples.targets[rows]
        output = network(examples.batch(rows))
        for name, measure in measures.items():
            value = measure(output, targets).item()
            totals[name] += value if learner.sums else value * len(targets)
    means = {name: total / len(examples) for name, total in totals.items()}
    return means.pop("loss"), means

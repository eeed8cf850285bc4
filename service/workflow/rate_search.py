"""`effort: high`: chooses the learning rate and the weight decay by short trainings, then trains with them.

Tried are the default learning rate, a third of it and three times it, each with the default weight decay and with ten times it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from pydantic import BaseModel

from service.workflow import optimizers, schedulers, training
from service.workflow.effort import SHARE, shortened
from service.workflow.errors import CheckpointUnfit, TrainingDiverged
from service.workflow.examples import Examples
from service.workflow.model import Model
from service.workflow.rate_report import RateSearch, TriedRates
from service.workflow.spec import ResolvedSpec
from service.workflow.state import State
from service.workflow.torch_registry import arguments_of, name_of
from service.workflow.training import ResolvedSettings
from service.workflow.training_loop import AfterStep, Fitted, Report

DECAYS, RATES = (1.0, 10.0), (1.0, 1 / 3, 3.0)
LAST = 3  # of what bounds the whole training the last one has one part in so many: six short ones are as long as two

Fit = Callable[[ResolvedSpec, Report, AfterStep | None, State | None], tuple[Model, Fitted]]


@dataclass(frozen=True)
class RateChoice:
    """The model, and how its rates were chosen."""

    model: Model
    spec: ResolvedSpec  # as it was trained: with the chosen rates, and without the effort to choose them
    search: RateSearch


def choose_rates(
    spec: ResolvedSpec,
    examples: dict[str, Examples],
    fit: Fit,
    report: Report,
    after_step: AfterStep | None,
    saved: State | None,
) -> RateChoice:
    """Tries all rates, and trains with the best; from a saved state to the same bits.

    Args:
        fit: trains a new network with a spec: its epochs are reported, and its state is saved after each step.
        report: called with the epochs of the last training alone.

    Raises:
        TrainingDiverged, CheckpointUnfit: as `train` does.
    """
    losses, current = _opened(saved)
    rows = len(examples["train"])
    wanted = [with_rates(spec, rate, decay) for decay, rate in product(DECAYS, RATES)]

    def saves(make: Callable[[], State]) -> None:
        assert after_step is not None  # noqa: S101 - see below
        after_step(lambda: {"losses": list(losses), "run": make()})

    for each in wanted[len(losses) :]:
        try:
            losses.append(fit(_short(each, rows), lambda *_: None, after_step and saves, current)[1].loss)
        except TrainingDiverged:
            losses.append(math.inf)
        current = None
    chosen = min(range(len(losses)), key=losses.__getitem__)
    settings = _shared(wanted[chosen].training, LAST)
    last = wanted[chosen].model_copy(update={"training": settings, "effort": "normal"})
    model, _ = fit(last, report, after_step and saves, current)
    return RateChoice(model, last, RateSearch(tried=[*map(_tried, wanted, losses)], chosen=chosen))


def with_rates(spec: ResolvedSpec, rate: float, decay: float) -> ResolvedSpec:
    """The spec with its learning rate, also that of a cycle, and its weight decay times these factors."""
    own = arguments_of(spec.optimizer)
    changed = {"lr": own["lr"] * rate, "weight_decay": own["weight_decay"] * decay}
    optimizer = optimizers.REGISTRY.parse({"name": name_of(spec.optimizer), **own, **changed})
    scheduler = spec.scheduler
    if scheduler is not None and "max_lr" in arguments_of(scheduler):
        scheduler = _with(scheduler, max_lr=arguments_of(scheduler)["max_lr"] * rate)
    return spec.model_copy(update={"optimizer": optimizer, "scheduler": scheduler})


def _short(spec: ResolvedSpec, rows: int) -> ResolvedSpec:
    """The spec of a short training, whose cycle of the learning rate is as much shorter."""
    settings = _shared(shortened(spec.training), LAST * SHARE)
    scheduler = spec.scheduler
    if scheduler is not None and name_of(scheduler) == "OneCycleLR" and arguments_of(scheduler)["interval"] == "step":
        scheduler = _with(scheduler, total_steps=max(training.steps(settings, rows), schedulers.STEPS_TRIED))
    return spec.model_copy(update={"training": settings, "scheduler": scheduler})


def _with(scheduler: BaseModel, **changed: float) -> BaseModel:
    return schedulers.REGISTRY.parse({"name": name_of(scheduler), **arguments_of(scheduler), **changed})


def _shared(settings: ResolvedSettings, parts: int) -> ResolvedSettings:
    """One part of what bounds the whole training."""
    seconds, samples = settings.max_seconds, settings.max_samples
    shares = {
        "max_seconds": None if seconds is None else seconds / parts,
        "max_samples": None if samples is None else -(-samples // parts),
    }
    return settings.model_copy(update=shares)


def _tried(spec: ResolvedSpec, loss: float) -> TriedRates:
    own = arguments_of(spec.optimizer)
    cycle = {} if spec.scheduler is None else arguments_of(spec.scheduler)
    finite = loss if math.isfinite(loss) else None
    return TriedRates(lr=cycle.get("max_lr", own["lr"]), weight_decay=own["weight_decay"], loss=finite)


def _opened(saved: State | None) -> tuple[list[float], State | None]:
    """The losses of the trainings that are done, and the state of the one after them."""
    if saved is None:
        return [], None
    try:
        return list(saved["losses"]), saved["run"]
    except KeyError as error:
        raise CheckpointUnfit from error

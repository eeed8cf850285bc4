"""Which specs can be trained together."""

from collections.abc import Sequence
from typing import Any

from service.workflow.encode import shaped_inputs
from service.workflow.models.mlp import MLPSpec
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.spec_base import FaultBudget
from service.workflow.torch_registry import arguments_of, name_of

OPTIMIZERS = ("SGD", "Adam", "AdamW")
# Losses that are the mean, or the sum, of a number for each value of the output or each row.
LOSSES = ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss", "CrossEntropyLoss")
CYCLING = ("OneCycleLR", "CyclicLR")  # change the momentum too, unless told not to
WITHOUT = ("ema", "freeze", "max_seconds", "max_samples")  # settings that are not there together
OWN = {"optimizer": ("lr", "weight_decay"), "model": ("dropout",), "training": ("seed",)}
FEWEST = 4  # trials
LARGEST, MOST_WORK = 20_000, 5_000_000  # parameters, and those times the rows of a batch
ASIDE = {"model_name", "notes", "license", "webhook", "priority"}  # no part of the training


def same_shape(specs: Sequence[ResolvedSpec]) -> list[list[int]]:
    """The positions of the specs, those together that differ only in learning rate, weight decay, dropout and seed, in the order
    of the first of each. The seed of the split must be the same: trials of other rows have no batches in common."""
    found: list[tuple[dict[str, Any], list[int]]] = []
    for at, spec in enumerate(specs):
        shape = _shape(spec)
        for known, members in found:
            if shape == known and spec.data == specs[members[0]].data:
                members.append(at)
                break
        else:
            found.append((shape, [at]))
    return [members for _, members in found]


def _shape(spec: ResolvedSpec) -> dict[str, Any]:
    value: dict[str, Any] = spec.model_dump(exclude={"data", *ASIDE})
    for part, names in OWN.items():
        value[part] = {name: each for name, each in value[part].items() if name not in names}
    return value


def own_parts(spec: ResolvedSpec) -> dict[str, Any]:
    """The parts of a spec, as JSON, that hold what specs of one shape may have for themselves."""
    found: dict[str, Any] = spec.model_dump(mode="json", include=set(OWN))
    return found


def with_own_parts(spec: ResolvedSpec, own: dict[str, Any]) -> ResolvedSpec:
    """The spec with the `own_parts` of another.

    Raises:
        ValidationError: they are of no spec.
    """
    return ResolvedSpec.model_validate(dict(spec) | own, context=FaultBudget(tries=False))


def is_faster(spec: ResolvedSpec, parameters: int, rows: int) -> bool:
    """Whether `FEWEST` trials like this one, of so many training rows, take less time together than one after another. Larger
    networks spend their time in products that are as fast alone."""
    size = spec.training.batch_size
    batch = rows if size == "full" else min(size, rows)
    return parameters <= LARGEST and parameters * batch <= MOST_WORK


def refusal(spec: ResolvedSpec, signature: Signature) -> str | None:
    """Why the spec can only be trained alone, or None."""
    reason = _of_network(spec, signature) or _of_step(spec)
    stopping = spec.training.early_stopping
    if reason is None and stopping is not None and stopping.monitor == "mean_answer_loss":
        reason = "early stopping by mean_answer_loss"
    return reason


def _of_network(spec: ResolvedSpec, signature: Signature) -> str | None:
    if not isinstance(spec.model, MLPSpec):
        return f"a model of the kind {spec.model.kind}"
    if spec.model.normalization == "BatchNorm1d":
        return "BatchNorm1d, whose statistics are of each network's own batches"
    if shaped_inputs(signature.inputs):
        return "inputs whose values have a shape"
    return "a model to start from" if spec.initial is not None else None


def _of_step(spec: ResolvedSpec) -> str | None:
    name, loss, settings = name_of(spec.optimizer), name_of(spec.loss), spec.training
    given = arguments_of(spec.optimizer)
    for option in ("amsgrad", "decoupled_weight_decay"):
        if given.get(option):
            return f"{option} of the optimizer"
    if name not in OPTIMIZERS:
        return f"the optimizer {name}"
    if loss not in LOSSES or any(arguments_of(spec.loss).get(each) is not None for each in ("weight", "pos_weight")):
        return f"the loss {loss}" if loss not in LOSSES else "a loss with weights"
    if spec.scheduler is not None and _changes_momentum(spec.scheduler):
        return f"{name_of(spec.scheduler)}, which changes the momentum"
    for setting in WITHOUT:
        if getattr(settings, setting) is not None:
            return f"training.{setting}"
    if settings.accumulation_steps > 1:
        return "training.accumulation_steps"
    if settings.precision != "float32":
        return f"the precision {settings.precision}"
    return None if settings.device in ("auto", "cpu") else f"the device {settings.device}"


def _changes_momentum(scheduler: Any) -> bool:
    arguments = arguments_of(scheduler)
    inner = any(_changes_momentum(each) for each in arguments.get("schedulers", []))
    return inner or (name_of(scheduler) in CYCLING and bool(arguments.get("cycle_momentum")))

"""The whole workflow for trials of one shape: from data to evaluated models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, nn

from service.workflow import losses
from service.workflow.calibration import calibrate
from service.workflow.data.table import Table
from service.workflow.device import make_deterministic
from service.workflow.encode import fit_inputs, raw_inputs, raw_targets, with_targets
from service.workflow.errors import CheckpointUnfit
from service.workflow.evaluation import Evaluation, evaluate
from service.workflow.examples import Examples, encode_parts
from service.workflow.heap import keep_blocks
from service.workflow.learn import predict
from service.workflow.model import Model, build_network, create_model
from service.workflow.preprocessing import network_inputs
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.split import split
from service.workflow.state import State
from service.workflow.together.crew import Crew
from service.workflow.together.shape import refusal, same_shape
from service.workflow.together.stack import Stack
from service.workflow.together.stacked_network import StackedNetwork
from service.workflow.together.trial import Trial
from service.workflow.training_loop import AfterStep

ReportTrials = Callable[[int, dict[int, dict[str, float]]], None]


@dataclass(frozen=True)
class Outcome:
    """What a trial has come to."""

    losses: list[dict[str, float]]  # of each epoch, in the trained scale
    kept: int  # the epoch whose parameters the model has; 0 for those that it began with
    model: Model | None  # None if its numbers became NaN or infinite
    evaluation: Evaluation | None  # of the model
    failure: str | None  # why there is none


def learn_together(
    specs: Sequence[ResolvedSpec],
    signature: Signature,
    table: Table,
    report: ReportTrials,
    *,
    after_step: AfterStep | None = None,
    saved: State | None = None,
    stage: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Trains a model for each spec, at once. Each has the batches and the random numbers that it would have alone, so its losses
    are those of `learn` but for rounding, whichever specs are beside it. Seeds torch's global generator.

    Args:
        specs: one at least, of the `same_shape`, none with a `refusal`.
        signature, table: as for `learn`; the same for all.
        report: called with the number of each epoch and its losses, by the positions of the specs that still take part.
        after_step: as for `learn`, after every few steps: there is one state for all.
        saved: such a state, to continue from.
        stage: called with the name of each stage when it begins.

    Raises:
        ValueError: the specs cannot be trained together.
        InvalidData: the data cannot be learned from.
        CheckpointUnfit: `saved` is of other trainings.
    """
    _check(specs, signature)
    stage("prepare")
    first = specs[0]
    make_deterministic(first.training.deterministic)
    table = with_targets(signature.outputs, table)
    parts = split(first.split, table)
    signature = signature.model_copy(update={"inputs": fit_inputs(signature.inputs, table, parts.train)})
    targets, features = raw_targets(signature.outputs, table), raw_inputs(signature.inputs, table.columns)
    base = create_model(first, signature, features, targets, parts.train, None)
    examples = encode_parts(first.loss, signature, base, features, targets, parts, torch.device("cpu"))
    models, generators = _models(specs, signature, base)
    stage("train")
    keep_blocks()
    with Crew() as crew:
        trials = _train(specs, signature, models, generators, examples, crew, report, after_step, saved)
    stage("evaluate")
    outcomes = []
    for spec, model, trial in zip(specs, models, trials, strict=True):
        if trial.failure is not None:
            outcomes.append(Outcome(trial.losses, trial.kept, None, None, trial.failure))
            continue
        model.eval()
        if spec.calibration is not None:
            calibrate(model, features, targets, parts.validation, len(targets))
        found = evaluate(signature, predict(model, features), targets, parts)
        outcomes.append(Outcome(trial.losses, trial.kept, model, found, None))
    return outcomes


def _check(specs: Sequence[ResolvedSpec], signature: Signature) -> None:
    for each in specs:
        if (reason := refusal(each, signature)) is not None:
            raise ValueError(f"{reason} is only trained alone")
    if len(same_shape(specs)) != 1:
        raise ValueError("the specs differ in more than learning rate, weight decay, dropout and seed")


def _models(specs: Sequence[ResolvedSpec], signature: Signature, base: Model) -> tuple[list[Model], list[Generator]]:
    """The models, which share their preprocessing, and for each what comes after its network among its seed's random numbers."""
    models, generators = [], []
    for each in specs:
        torch.manual_seed(each.training.seed)
        network = build_network(each, signature, network_inputs(signature.inputs, base.preprocessing))
        generator = Generator()
        generator.set_state(torch.get_rng_state())
        models.append(Model(network, base.preprocessing, base.target, base.output, base.task))
        generators.append(generator)
    return models, generators


def _train(
    specs: Sequence[ResolvedSpec],
    signature: Signature,
    models: Sequence[Model],
    generators: Sequence[Generator],
    examples: dict[str, Examples],
    crew: Crew,
    report: ReportTrials,
    after_step: AfterStep | None,
    saved: State | None,
) -> list[Trial]:
    # A network without dropout lacks its layers; one with it has all that any of the trials needs.
    networks = [each.network for each in models]
    widest = max(range(len(specs)), key=lambda at: getattr(specs[at].model, "dropout", 0.0))
    stacked = StackedNetwork(networks[widest])
    numbered = enumerate(zip(specs, generators, networks, strict=True))
    trials = [Trial(at, spec, generator, stacked.row(network)) for at, (spec, generator, network) in numbered]
    rowwise = specs[0].loss.model_copy(update={"reduction": "none"})
    loss: nn.Module = losses.build(rowwise, signature)
    stack = Stack(trials, stacked, loss, losses.sums(specs[0].loss), specs[0], examples, crew)

    def state() -> State:
        return {"trials": [each.state() for each in trials], "stack": stack.state()}

    if saved is not None:
        _load(saved, trials, stack)
    while stack.trials and stack.epoch <= specs[0].training.epochs:
        _epoch(stack, report, (lambda: None) if after_step is None else (lambda: after_step(state)))
    for trial, network in zip(trials, networks, strict=True):
        trial.restore_best()
        stacked.fill(network, trial.row.values)
    return trials


def _epoch(stack: Stack, report: ReportTrials, after_steps: Callable[[], None]) -> None:
    trained, validated = stack.train_epoch(after_steps), stack.validate()
    reported = {}
    for at, trial in enumerate(stack.trials):
        found = {"train_loss": trained[at]} | ({} if validated is None else {"validation_loss": validated[at]})
        trial.after_epoch(stack.epoch, found)
        if trial.failure is None:
            reported[trial.number] = found
    report(stack.epoch, reported)
    stack.next_epoch()


def _load(saved: State, trials: Sequence[Trial], stack: Stack) -> None:
    try:
        for trial, state in zip(trials, saved["trials"], strict=True):
            trial.load(state)
        stack.load(saved["stack"])
    except MemoryError:
        raise
    except Exception as error:  # torch raises any error for a state that another version of it wrote
        raise CheckpointUnfit from error

"""The whole workflow, from data to an evaluated model."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from service.workflow.data.table import Table
from service.workflow.device import choose_device, make_deterministic
from service.workflow.encode import fit_inputs, raw_features, raw_targets, with_targets
from service.workflow.evaluation import Evaluation, evaluate
from service.workflow.examples import encode_parts
from service.workflow.learner import build_learner
from service.workflow.look.points import Points
from service.workflow.look.sampling import sample
from service.workflow.model import Model, create_model
from service.workflow.ranges import ranges
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.split import Split, split
from service.workflow.state import State
from service.workflow.training_loop import AfterStep, Report, train


@dataclass(frozen=True)
class TrainingResult:
    """A trained model, and what is recorded with it."""

    model: Model
    signature: Signature
    evaluation: Evaluation
    points: Points
    split: Split
    ranges: dict[str, list[float]]  # of the training part


def learn(
    spec: ResolvedSpec,
    signature: Signature,
    table: Table,
    report: Report,
    initial: Model | None = None,
    *,
    after_step: AfterStep | None = None,
    saved: State | None = None,
    stage: Callable[[str], None] = lambda _: None,
) -> TrainingResult:
    """Splits the data, creates and trains the model, and evaluates it. Seeds torch's global generator, so each training needs
    a process of its own.

    Args:
        report: called with the number and the losses of each epoch.
        initial: the model to start from, with its preprocessing.
        after_step, saved: see `train`.
        stage: called with the name of each stage when it begins.

    Raises:
        InvalidData: the data cannot be learned from.
        TrainingDiverged: a loss became NaN or infinite.
        CheckpointUnfit: `saved` is of another training.
    """
    stage("prepare")
    make_deterministic(spec.training.deterministic)
    table = with_targets(signature.outputs, table)
    parts = split(spec.split, table)
    if initial is None:
        inputs = fit_inputs(signature.inputs, table, parts.train)
        signature = signature.model_copy(update={"inputs": inputs})
    features, targets = raw_features(signature.inputs, table.columns), raw_targets(signature.outputs, table)
    model = create_model(spec, signature, features[parts.train], targets[parts.train], initial)
    device = choose_device(spec.training.device)
    examples = encode_parts(spec.loss, signature, model, features, targets, parts, device)
    learner = build_learner(spec, signature, model, device)
    stage("train")
    train(learner, examples, report, after_step, saved)
    stage("evaluate")
    answers = predict(model.to("cpu").eval(), features)
    evaluation = evaluate(signature, answers, targets, parts)
    points = sample(signature, table, targets, answers, parts, model.network)
    found = ranges(signature, table, parts.train.numpy())
    return TrainingResult(model, signature, evaluation, points, parts, found)


@torch.inference_mode()
def predict(model: Model, raw: torch.Tensor, rows: int = 65_536) -> torch.Tensor:
    """Step 6, predict: answers for raw features, in the target's units or as probabilities; computed `rows` rows at a time."""
    return torch.cat([model(chunk) for chunk in raw.split(rows)])

"""The whole workflow, from data to an evaluated model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from service.workflow.calibration import Calibration, calibrate
from service.workflow.conformal import Conformal, conformal, with_coverage
from service.workflow.data.table import Table
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.feature import Feature
from service.workflow.data_warnings import data_warnings
from service.workflow.device import choose_device, make_deterministic
from service.workflow.encode import fit_inputs, raw_inputs, raw_targets, with_targets
from service.workflow.evaluation import Evaluation, evaluate
from service.workflow.examples import TABLE_ROWS, encode_parts
from service.workflow.fold_metrics import report_folds
from service.workflow.fold_report import Folds
from service.workflow.fold_training import FoldTraining, TrainedFolds, check_classes
from service.workflow.forward_cost import measure
from service.workflow.input_tensors import Tensors, pieces
from service.workflow.learner import build_learner
from service.workflow.look.importance import Importance
from service.workflow.look.points import Points
from service.workflow.look.sampling import sample
from service.workflow.model import Model, create_model
from service.workflow.partial_dependence import partial_dependence
from service.workflow.permutation_importance import permutation_importance
from service.workflow.preprocessing import network_inputs
from service.workflow.ranges import ranges
from service.workflow.reference import Reference
from service.workflow.reference_fit import reference_of
from service.workflow.signature import Signature
from service.workflow.slice_report import Slices
from service.workflow.slices import slices
from service.workflow.spec import ResolvedSpec
from service.workflow.split import Split, split
from service.workflow.state import State
from service.workflow.threshold import Threshold, choose_threshold, decided_by
from service.workflow.training_loop import AfterStep, Report, train
from service.workflow.typical_row import typical_row

PREDICTED_ROWS = 65_536  # of columns of a table, at once
# Of a forward of values that have a shape. Larger blocks leave glibc's heap twice as large, in holes.
FORWARD_BYTES = 8 * 2**20


@dataclass(frozen=True)
class TrainingResult:
    """A trained model, and what is recorded with it."""

    model: Model
    signature: Signature
    evaluation: Evaluation
    points: Points
    split: Split
    ranges: dict[str, list[float]]  # of the training part
    slices: Slices | None  # metrics by group
    importance: Importance | None  # of the inputs, where it can be measured
    warnings: list[str]  # about the data
    baseline: dict[str, float | str]  # a typical row of the training part
    calibration: Calibration | None = None  # if the answers are calibrated
    conformal: Conformal | None = None  # if there is a calibration part
    threshold: Threshold | None = None  # if the spec asks for one
    folds: Folds | None = None  # of a training in folds
    reference: Reference | None = None  # what inputs and answers are like, for drift


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
    folder: Path | None = None,
) -> TrainingResult:
    """Splits the data, creates and trains the model, and evaluates it. Seeds torch's global generator, so each training needs
    a process of its own.

    Args:
        report: called with the number and the losses of each epoch.
        initial: the model to start from, with its preprocessing.
        after_step, saved: see `train`.
        stage: called with the name of each stage when it begins.
        folder: for large tensors, which are mapped from files; None keeps all in memory.

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
    targets = raw_targets(signature.outputs, table)
    features = raw_inputs(signature.inputs, table.columns, TensorCache(folder))
    model = create_model(spec, signature, features, targets, parts.train, initial)
    device = choose_device(spec.training.device)
    model.inputs.to(device)
    at_once = TABLE_ROWS if isinstance(features, Tensor) else _rows_at_once(model, signature)
    options: dict[str, Feature] = {}
    if isinstance(spec.data.features, dict):
        options.update((name, each) for name, each in spec.data.features.items())
    trained = None
    if parts.folds:
        check_classes(signature, targets, parts)
        all_of_them = spec, signature, model, features, targets, parts, device, options, at_once, report, after_step
        stage("train")
        trained = FoldTraining(*all_of_them).run(saved)
        model = trained.model
    else:
        examples = encode_parts(spec.loss, signature, model, features, targets, parts, device, options, at_once)
        stage("train")
        train(build_learner(spec, signature, model, device), examples, report, after_step, saved)
    stage("evaluate")
    rows = PREDICTED_ROWS if isinstance(features, Tensor) else at_once
    return _evaluated(spec, signature, table, features, targets, parts, model, trained, rows, at_once)


def _evaluated(
    spec: ResolvedSpec,
    signature: Signature,
    table: Table,
    features: Tensors,
    targets: Tensor,
    parts: Split,
    model: Model,
    trained: TrainedFolds | None,
    rows: int,
    at_once: int,
) -> TrainingResult:
    """What is recorded with a trained model.

    Args:
        trained: of a training in folds.
        rows: of a forward that predicts.
        at_once: rows of a forward beside other work.
    """
    model = model.to("cpu").eval()
    wanted = spec.calibration is not None
    calibration = calibrate(model, features, targets, parts.validation, rows) if wanted else None
    answers = predict(model, features, rows)
    judged, folds, compared = answers, None, parts  # answers by which it is judged: out of fold if there are folds
    if trained is not None:
        judged = trained.out_of_fold(answers, features, parts, lambda of, raw: predict(of, raw, rows))
        compared = parts.of_fold(parts.folds[-1])
    threshold = choose_threshold(spec.threshold, signature, judged, targets, parts)
    signature = decided_by(signature, threshold)
    if trained is not None:
        folds = report_folds(signature, trained.networks, judged, targets, parts)
    sure = conformal(signature, answers, targets, parts)
    evaluation = evaluate(signature, answers, targets, parts, judged)
    evaluation = with_coverage(evaluation, sure, signature, answers, targets, parts)
    points = sample(signature, table, features, targets, judged, parts.apart(), model.network)
    found = ranges(signature, table, parts.train.numpy())
    groups = slices(spec.evaluation, signature, table, judged, targets, parts)
    unseen = parts if trained is None else parts.unvalidated()
    important = permutation_importance(signature, model, features, targets, unseen, spec.training.seed, at_once)
    dependence = partial_dependence(signature, model, table, features, targets, unseen, important, at_once)
    points = points.model_copy(update={"dependence": dependence})
    warned = data_warnings(signature, table, features, targets, compared)
    reference = reference_of(signature, features, answers, unseen)
    typical = typical_row(signature, table, parts.train.numpy())
    return TrainingResult(
        model=model,
        signature=signature,
        evaluation=evaluation,
        points=points,
        split=parts,
        ranges=found,
        slices=groups,
        importance=important,
        warnings=warned,
        baseline=typical,
        calibration=calibration,
        conformal=sure,
        threshold=threshold,
        folds=folds,
        reference=reference,
    )


@torch.inference_mode()
def predict(model: Model, raw: Tensors, rows: int = PREDICTED_ROWS) -> Tensor:
    """Step 6, predict: answers for raw features, in the target's units or as probabilities; computed `rows` rows at a time."""
    return torch.cat([model(chunk) for chunk in pieces(raw, rows)])


def _rows_at_once(model: Model, signature: Signature) -> int:
    """The rows of a forward that allocates `FORWARD_BYTES`."""
    cost = measure(model.network.eval(), network_inputs(signature.inputs, model.preprocessing))
    return max(1, min(TABLE_ROWS, FORWARD_BYTES // max(1, cost.bytes)))

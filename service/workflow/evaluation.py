"""Step 8, evaluate: metrics of each part and of a baseline. Those of classes are from torchmetrics."""

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from service.workflow.decision import decide
from service.workflow.moments import power_of_two
from service.workflow.parts import PARTS
from service.workflow.reliability import calibration_error
from service.workflow.signature import Signature
from service.workflow.split import Split
from service.workflow.tasks import Task
from service.workflow.threshold import decided_by

Metrics = dict[str, float | None]
MOST_CLASSES_CONFUSED = 100


@dataclass(frozen=True)
class Evaluation:
    """The metrics of each part with rows and of the `baseline`; for classes the confusion matrix of each part: true classes
    in rows, predicted ones in columns."""

    metrics: dict[str, Metrics]
    confusion: dict[str, list[list[int]]]


def evaluate(signature: Signature, answers: Tensor, targets: Tensor, parts: Split) -> Evaluation:
    """The metrics of a model's answers. A metric that is not defined, such as R² of one row, is None. The baseline is evaluated
    on the last part with rows.

    Args:
        answers: numbers [n, t] in the target's units, or probabilities [n, classes] or [n, labels].
        targets: the true values [n, t]; for classes their positions.
    """
    made: dict[str, Metrics] = {}
    confusion: dict[str, list[list[int]]] = {}
    plain = decided_by(signature, None)
    for name in PARTS:
        rows = parts.part(name)
        if not len(rows):
            continue
        made[name] = metrics_of(signature, answers[rows], targets[rows])
        made["baseline"] = metrics_of(plain, _baseline(signature, targets[parts.train], len(rows)), targets[rows])
        if signature.classifies and len(signature.classes) <= MOST_CLASSES_CONFUSED:
            confusion[name] = _confusion(
                decide(signature, answers[rows]), targets[rows, 0].long(), len(signature.classes)
            )
    return Evaluation(made, confusion)


def _baseline(signature: Signature, train: Tensor, rows: int) -> Tensor:
    """Answers without a model: the mean of the training targets [n, t], or the frequency of each class."""
    if not signature.classifies:
        return _mean(train).expand(rows, -1)
    shares = torch.bincount(train[:, 0].long(), minlength=len(signature.classes)).to(torch.float64) / len(train)
    return shares.expand(rows, -1)


def metrics_of(signature: Signature, answers: Tensor, truth: Tensor) -> Metrics:
    """The metrics of these rows; None for one that is not defined.

    Args:
        answers, truth: as `answers` and `targets` of `evaluate`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics warns about undefined metrics
        match signature.task:
            case Task.REGRESSION:
                made = _regression(answers, truth)
            case Task.MULTILABEL:
                made = _labels(answers, truth.long())
            case _:
                made = _classes(answers, decide(signature, answers), truth[:, 0].long())
    return {name: value if math.isfinite(value) else None for name, value in made.items()}


def _regression(answers: Tensor, truth: Tensor) -> dict[str, float]:
    """R², MAE and RMSE in float64, for targets of any scale. Not by torchmetrics, which adds a constant to R² where the truth
    hardly varies (https://github.com/Lightning-AI/torchmetrics/issues/3077)."""
    answers, truth = answers.to(torch.float64).contiguous(), truth.to(torch.float64).contiguous()
    errors = answers - truth
    unit = power_of_two(errors.abs().amax())
    return {
        "r2": _r2(errors, _mean(truth) - truth, truth),
        "mae": ((errors / unit).abs().mean() * unit).item(),
        "rmse": ((errors / unit).square().mean().sqrt() * unit).item(),
    }


def _r2(errors: Tensor, of_the_mean: Tensor, truth: Tensor) -> float:
    """1 - squared errors / squared errors of the mean, averaged over the targets [n, t]; NaN where a target is constant."""
    if not bool((truth.amax(dim=0) > truth.amin(dim=0)).all()):
        return math.nan
    unit = power_of_two(of_the_mean.abs().amax(dim=0))
    residual, total = ((each / unit).square().sum(dim=0) for each in (errors, of_the_mean))
    return (1 - residual / total).mean().item()


def _mean(values: Tensor) -> Tensor:
    """The mean of each column [n, d], whose sum may overflow a float64."""
    unit = power_of_two(values.abs().amax(dim=0))
    return (values / unit).mean(dim=0) * unit


def _classes(probabilities: Tensor, labels: Tensor, truth: Tensor) -> dict[str, float]:
    """Metrics of classes, of which `labels` are the answers [n]. Balanced accuracy, F1 and AUROC are means over the classes that
    are present; `ece` is the expected calibration error of the most probable class."""
    from torchmetrics.functional import classification as scores

    count = probabilities.shape[1]
    present = torch.unique(truth)
    recall = scores.multiclass_recall(labels, truth, num_classes=count, average="none")
    f1 = scores.multiclass_f1_score(labels, truth, num_classes=count, average="none")
    auroc = math.nan
    if len(present) > 1:
        each = scores.multiclass_auroc(probabilities.double(), truth, num_classes=count, average="none")
        auroc = each[present].double().mean().item()
    chosen = probabilities.double().gather(1, truth[:, None]).clamp_min(1e-15)
    return {
        "accuracy": (labels == truth).double().mean().item(),
        "balanced_accuracy": recall[present].double().mean().item(),
        "f1": f1[present].double().mean().item(),
        "auroc": auroc,
        "log_loss": -chosen.log().mean().item(),
        "ece": calibration_error(probabilities, truth),
    }


def _labels(probabilities: Tensor, truth: Tensor) -> dict[str, float]:
    """Metrics of labels: means over the labels, for AUROC over those that are not constant."""
    from torchmetrics.functional import classification as scores

    count = truth.shape[1]
    varied = (truth.amax(dim=0) > truth.amin(dim=0)).nonzero()[:, 0]
    given = probabilities.double().clamp(1e-15, 1 - 1e-15)
    recall = scores.multilabel_recall(probabilities, truth, num_labels=count, average="none").double()
    specificity = scores.multilabel_specificity(probabilities, truth, num_labels=count, average="none").double()
    auroc = math.nan
    if len(varied):
        each = scores.multilabel_auroc(probabilities.double(), truth, num_labels=count, average="none")
        auroc = each[varied].double().mean().item()
    return {
        "accuracy": ((probabilities > 0.5) == (truth > 0)).double().mean().item(),
        "balanced_accuracy": ((recall + specificity) / 2).mean().item(),
        "f1": scores.multilabel_f1_score(probabilities, truth, num_labels=count).item(),
        "auroc": auroc,
        "log_loss": -torch.where(truth > 0, given.log(), (1 - given).log()).mean().item(),
    }


def _confusion(labels: Tensor, truth: Tensor, classes: int) -> list[list[int]]:
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    counted: list[list[int]] = multiclass_confusion_matrix(labels, truth, num_classes=classes).tolist()
    return counted

"""Step 8, evaluate: metrics of each part by torchmetrics, and a baseline's beside them."""

import math
import warnings

import torch
from torch import Tensor

from service.workflow.signature import Signature

Metrics = dict[str, float | None]


def metrics(signature: Signature, answers: Tensor, truth: Tensor) -> Metrics:
    """How good the answers are: [n, t] numbers in the target's units, or [n, classes] probabilities, against the truth
    [n, t] (class positions for a classification). What is not defined (an R² of one row, say) is None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics warns where we answer None
        made = _classification(answers, truth[:, 0].long()) if signature.classifies else _regression(answers, truth)
    return {name: value if math.isfinite(value) else None for name, value in made.items()}


def baseline(signature: Signature, train: Tensor, rows: int) -> Tensor:
    """The answers of who has only seen the training targets [n, t]: their mean, or how often each class comes."""
    if not signature.classifies:
        return train.mean(dim=0).expand(rows, -1)
    shares = torch.bincount(train[:, 0].long(), minlength=len(signature.classes)).to(torch.float64) / len(train)
    return shares.expand(rows, -1)


def _regression(answers: Tensor, truth: Tensor) -> dict[str, float]:
    from torchmetrics.functional import mean_absolute_error, mean_squared_error, r2_score

    answers, truth = answers.to(torch.float64), truth.to(torch.float64)
    varies = len(truth) > 1 and bool((truth.amax(dim=0) > truth.amin(dim=0)).all())
    return {
        "r2": r2_score(answers, truth).item() if varies else math.nan,
        "mae": mean_absolute_error(answers, truth).item(),
        "rmse": mean_squared_error(answers, truth, squared=False).item(),
    }


def _classification(probabilities: Tensor, truth: Tensor) -> dict[str, float]:
    from torchmetrics.functional import classification as scores

    count = probabilities.shape[1]
    labels, present = probabilities.argmax(dim=1), truth.unique()
    recall = scores.multiclass_recall(labels, truth, num_classes=count, average="none")
    several = len(present) > 1
    auroc = (
        scores.multiclass_auroc(probabilities[:, present] / 1.0, _within(truth, present), len(present))
        if several
        else None
    )
    chosen = probabilities.double().gather(1, truth[:, None]).clamp_min(1e-15)
    return {
        "accuracy": (labels == truth).double().mean().item(),
        "balanced_accuracy": recall[present].double().mean().item(),
        "f1": scores.multiclass_f1_score(labels, truth, num_classes=count, average="none")[present]
        .double()
        .mean()
        .item(),
        "auroc": math.nan if auroc is None else auroc.item(),
        "log_loss": -chosen.log().mean().item(),
    }


def _within(truth: Tensor, present: Tensor) -> Tensor:
    """Class positions counted among the classes that are present."""
    return torch.searchsorted(present, truth)

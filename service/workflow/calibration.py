"""Calibrates a trained model of classes on its validation part, and says what that changed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from service.workflow import temperature
from service.workflow.input_tensors import Tensors, take
from service.workflow.model import Model
from service.workflow.reliability import calibration_error
from service.workflow.temperature import Temperature

FEWEST = 50  # rows of the validation part: fewer say nothing about probabilities


@dataclass(frozen=True)
class Calibration:
    """The fitted temperature, the rows that it was fitted on, and their log loss and expected calibration error before and
    after."""

    temperature: float
    rows: int
    log_loss_before: float
    log_loss_after: float
    ece_before: float
    ece_after: float


def calibrate(model: Model, raw: Tensors, targets: Tensor, rows: Tensor, at_once: int) -> Calibration | None:
    """Gives a model of classes the temperature that fits these rows. Leaves the model as it is, and returns None, with fewer
    than `FEWEST` rows, and where it does not lower their log loss or raises their calibration error: where the errors are not
    those of too large or too small logits, one number may lower the first at the cost of the second.

    Args:
        model: trained, in evaluation mode and on the CPU.
        raw: raw features of all rows.
        targets: the positions of the true classes of all rows [n, 1].
        rows: the positions of the validation part's rows, int64 [m].
        at_once: the rows of a forward.
    """
    if len(rows) < FEWEST:
        return None
    with torch.inference_mode():
        logits = torch.cat([model.logits(take(raw, each)) for each in rows.split(at_once)])
    if not bool(logits.isfinite().all()):
        return None
    truth = targets[rows, 0].long()
    module = Temperature(temperature.fit(logits, truth))
    fitted = module.temperature.item()  # as the model will have it
    losses = [temperature.log_loss(logits, truth, each) for each in (1.0, fitted)]
    errors = [calibration_error(each(logits), truth) for each in (Temperature(), module)]
    if losses[1] >= losses[0] or errors[1] > errors[0]:
        return None
    model.calibration = module.eval()
    return Calibration(fitted, len(rows), *losses, *errors)

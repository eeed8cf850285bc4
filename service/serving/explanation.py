"""Explains answers of a model: what each input adds to an answer, compared with a baseline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from service.serving.errors import AnswerTooLarge
from service.serving.forward import Array, forward
from service.serving.warm_models import Warm
from service.workflow.encoded_rows import Encoded, EncodedRows, rows_of
from service.workflow.input_tensors import Tensors, rows_in
from service.workflow.integrated_gradients import FEWEST_POINTS, IntegratedGradients
from service.workflow.sampled_shapley import order_count, sampled_shapley
from service.workflow.tasks import Task
from service.workflow.typical_row import TypicalRow, raw_row

MOST_WORK = 10**11  # multiply-adds of a request: some seconds of one core
GRADIENT_WORK = 3  # forwards that one with its gradients takes
GRADIENT_BYTES = 16  # results that a forward keeps for its gradients, for each that it needs at a time
MOST_CELLS = 2**25  # of the subsets of the inputs
RELATIVE = 0.01  # of the difference from the baseline's answer
ABSOLUTE = 1e-3  # of a probability, or of the standard deviation of a target
ROUNDINGS = 8  # of the answers

Method = Literal["integrated_gradients", "sampling_shapley"]


@dataclass(frozen=True)
class Explanation:
    """What each input adds to the explained answers.

    `answers` [n, outputs] are the model's, `baseline` [1, outputs] that to the baseline. `which` [explained, n] are the positions
    of the explained answers of each row, and `shares` [explained, n, inputs], float64, what each input adds to them; NaN where
    an answer is no finite number.
    """

    method: Method
    answers: Array
    baseline: Array
    which: Tensor
    shares: Tensor


def explain(
    warm: Warm, raw: Tensors, row: TypicalRow, chosen: int | None, check: Callable[[], None] = lambda: None
) -> Explanation:
    """Explains the answers to raw features of n rows: by integrated gradients, or by sampling Shapley values where a row has no
    gradients, or its shares do not add up to its answer less that of the baseline.

    Args:
        warm: the model.
        raw: NaN for a missing value.
        row: the baseline.
        chosen: the position of the answer to explain; None for the predicted class, or for every target or label.
        check: called between two forwards; it may raise.

    Raises:
        AnswerTooLarge: these are too many rows for this model.
    """
    model = EncodedRows(warm.model, warm.signature.inputs)
    blank = raw_row(warm.signature.inputs, row, fills_missing=warm.model.fills_missing)
    with torch.no_grad():
        start, end = model.baseline(blank), model.encode(raw)
        baseline = model.answers(start)
    answers = torch.from_numpy(forward(warm, raw))
    check()
    which = _explained(warm, answers, chosen)
    work = _Work(warm, rows_in(raw), len(which))
    work.check()
    explained = _Explained(warm, model, start, end, work, check)
    shares = explained.shares(answers, baseline, which, explained.by_gradients)
    method: Method = "sampling_shapley" if shares is None else "integrated_gradients"
    if shares is None:
        shares = explained.shares(answers, baseline, which, explained.by_sampling)
    assert shares is not None  # noqa: S101 - sampling needs nothing of the model
    return Explanation(method, answers.numpy(), baseline.numpy(), which, shares)


def _explained(warm: Warm, answers: Tensor, chosen: int | None) -> Tensor:
    rows, outputs = answers.shape
    if chosen is not None:
        return torch.full((1, rows), chosen)
    if warm.signature.classifies:
        return answers.nan_to_num(-1.0).argmax(dim=1)[None]
    return torch.arange(outputs)[:, None].expand(outputs, rows)


@dataclass(frozen=True)
class _Work:
    """The bound on the work of a request that explains `explained` answers to each of `rows` rows."""

    warm: Warm
    rows: int
    explained: int

    @property
    def forwards(self) -> int:
        """The forwards of each row and answer within the bound."""
        return MOST_WORK // (self.warm.work * self.rows * self.explained)

    def check(self) -> None:
        """Raises AnswerTooLarge if both methods are beyond the bound."""
        least = min(GRADIENT_WORK * FEWEST_POINTS, self._least_of_shapley)
        if self.forwards < least:
            self._refuse(least)

    def orders(self) -> int:
        """The orders of sampling Shapley values. Raises AnswerTooLarge if not even two are within the bound."""
        inputs = self.warm.width
        if self.forwards < self._least_of_shapley or 2 * inputs * (inputs + 1) > MOST_CELLS:
            self._refuse(self._least_of_shapley)
        most = min(self.forwards // inputs, MOST_CELLS // (inputs * (inputs + 1)), order_count(inputs))
        return most if most == order_count(inputs) else most // 2 * 2

    @property
    def _least_of_shapley(self) -> int:
        return 2 * self.warm.width

    def _refuse(self, least: int) -> None:
        most = MOST_WORK // (self.warm.work * self.explained * least)
        what = f"{self.rows} rows" if self.rows > 1 else "a row"
        advice = f"send at most {most}" if most else "this model is too large to be explained here"
        if most >= self.rows:
            advice = "the model has too many inputs for a method without gradients"
        raise AnswerTooLarge(f"to explain the answers to {what} takes too much work; {advice}")


@dataclass(frozen=True)
class _Explained:
    """The rows `end` of a request, and the baseline `start`, both encoded."""

    warm: Warm
    model: EncodedRows
    start: Encoded
    end: Encoded
    work: _Work
    check: Callable[[], None]

    def shares(self, answers: Tensor, baseline: Tensor, which: Tensor, method: "Shares") -> Tensor | None:
        """The shares [explained, n, inputs] by a method; None if it cannot be used."""
        made = torch.full((*which.shape, len(self.model.names)), torch.nan, dtype=torch.float64)
        for at, one in enumerate(which):
            here = answers.gather(1, one[:, None])[:, 0].double()
            there = baseline[0, one].double()
            known = (here.isfinite() & there.isfinite()).nonzero()[:, 0]
            if len(known):
                found = method(rows_of(self.end, known), one[known], here[known], there[known])
                if found is None:
                    return None
                made[at, known] = found
        return made

    def by_gradients(self, end: Encoded, which: Tensor, here: Tensor, there: Tensor) -> Tensor | None:
        """Integrated gradients of these rows [n, inputs]."""
        rounding = ROUNDINGS * torch.finfo(torch.float32).eps * torch.maximum(here.abs(), there.abs())
        unit = ABSOLUTE * _unit(self.warm, here, there, which)
        tolerance = torch.maximum(RELATIVE * (here - there).abs(), unit) + rounding
        at_once = max(1, self.warm.rows_at_once // GRADIENT_BYTES)
        ways = IntegratedGradients(self.model, self.start, end, which, at_once, self.check)
        return ways.shares(here, there, tolerance, self.work.forwards // GRADIENT_WORK)

    def by_sampling(self, end: Encoded, which: Tensor, *_: Tensor) -> Tensor:
        """Sampled Shapley values of these rows [n, inputs]."""
        orders = self.work.orders()
        return sampled_shapley(self.model, self.start, end, which, self.warm.rows_at_once, orders, self.check)


Shares = Callable[[Encoded, Tensor, Tensor, Tensor], Tensor | None]


def _unit(warm: Warm, here: Tensor, there: Tensor, which: Tensor) -> Tensor:
    """What a difference of answers is compared with: 1 for a probability, the standard deviation of a scaled target, else the
    answers themselves."""
    if warm.signature.task is not Task.REGRESSION:
        return torch.ones_like(here)
    if warm.model.target is not None:
        return warm.model.target.std[which].double()
    return torch.maximum(here.abs(), there.abs())

"""Steps of SGD, Adam and AdamW with a learning rate and a weight decay for each row of a matrix."""

from typing import Any

import torch
from torch import Tensor

from service.workflow.state import State


class StackedOptimizer:
    """The optimizer of c rows of parameters [c, width], each a network's.

    Args:
        name: SGD, Adam or AdamW.
        arguments: those of torch's class; all but `lr` and `weight_decay` are of all rows.
        decays: the weight decay of each row.
        shape: of the matrix.
    """

    def __init__(self, name: str, arguments: dict[str, Any], decays: list[float], shape: tuple[int, int]) -> None:
        self._name = name
        self._arguments = arguments
        self._decays = torch.tensor(decays).unsqueeze(1)
        self._decaying = any(decays)
        moments = 2 if name != "SGD" else int(bool(arguments["momentum"]))
        self._moments = [torch.zeros(shape) for _ in range(moments)]

    def step(self, number: int, at: slice, rows: Tensor, gradient: Tensor, rates: Tensor) -> None:
        """Changes some rows in place.

        Args:
            number: of the step, from 1.
            at: which rows of the matrix they are.
            rows, gradient: [m, width].
            rates: the learning rate of each, [m, 1].
        """
        moments = [each[at] for each in self._moments]
        decays = self._decays[at]
        if self._name == "AdamW":
            rows.mul_(1 - rates * decays) if self._decaying else None
        elif self._decaying:
            gradient = torch.addcmul(gradient, rows, decays)
        if self._name == "SGD":
            rows.sub_(self._with_momentum(number, moments, gradient) * rates)
        else:
            self._adam(number, moments, rows, gradient, rates)

    def _with_momentum(self, number: int, moments: list[Tensor], gradient: Tensor) -> Tensor:
        if not moments:
            return gradient
        momentum = self._arguments["momentum"]
        if number == 1:
            moments[0].copy_(gradient)
        else:
            moments[0].mul_(momentum).add_(gradient, alpha=1 - self._arguments["dampening"])
        return gradient.add(moments[0], alpha=momentum) if self._arguments["nesterov"] else moments[0]

    def _adam(self, number: int, moments: list[Tensor], rows: Tensor, gradient: Tensor, rates: Tensor) -> None:
        """m / (√v / s + eps) · rate / b, with s and b the bias corrections, as m · (rate · s / b) / (√v + eps · s)."""
        (first, second), (mean, square) = self._arguments["betas"], moments
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        correction = (1 - second**number) ** 0.5
        divisor = square.sqrt().add_(self._arguments["eps"] * correction)
        rows.addcdiv_(mean * (rates * (correction / (1 - first**number))), divisor, value=-1)

    def keep(self, rows: Tensor) -> None:
        """Goes on with these rows alone; int64 positions."""
        self._moments = [each[rows] for each in self._moments]
        self._decays = self._decays[rows]

    def state(self) -> State:
        """What `load` takes. The tensors are not copied."""
        return {"moments": self._moments}

    def load(self, state: State) -> None:
        """Restores a state.

        Raises:
            RuntimeError, ValueError: it is of another matrix.
        """
        for own, each in zip(self._moments, state["moments"], strict=True):
            own.copy_(each)

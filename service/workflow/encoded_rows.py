"""The encoded inputs of a model as explanations change them: each input has its columns of the table, or its own tensor."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from service.workflow.encode import raw_width
from service.workflow.input_tensors import Tensors
from service.workflow.model import Model
from service.workflow.models.input_shapes import FEATURES
from service.workflow.signature import Input

Encoded = Mapping[str, Tensor]  # what a network takes, also of one tensor, by name: `FEATURES` or that of the input


class EncodedRows:
    """A model from its encoded inputs on.

    Args:
        model: in evaluation mode.
        inputs: of its signature.
    """

    def __init__(self, model: Model, inputs: Sequence[Input]) -> None:
        self._model = model
        self.names = [each.name for each in inputs]
        self._shaped = {each.name: position for position, each in enumerate(inputs) if each.shape is not None}
        owners = [position for position, each in enumerate(inputs) for _ in range(raw_width([each]))]
        sources = range(len(owners)) if model.preprocessing is None else model.preprocessing.sources
        # The position of the input that each encoded column of the table comes from.
        self._owners = torch.tensor([owners[source] for source in sources], dtype=torch.int64)

    def encode(self, raw: Tensors) -> Encoded:
        """The encoded inputs of raw features."""
        encoded = self._model.encode(raw)
        if isinstance(encoded, dict):
            return encoded
        return {FEATURES if isinstance(raw, Tensor) or FEATURES in raw else next(iter(raw)): encoded}

    def baseline(self, raw: Tensors) -> Encoded:
        """The encoded inputs of a row whose values that have a shape do not count: for them it has the neutral one, zeros, which
        is the mean of the training part where they are normalized."""
        return {
            name: torch.zeros_like(each) if name in self._shaped else each for name, each in self.encode(raw).items()
        }

    def answers(self, encoded: Encoded) -> Tensor:
        """The model's answers [n, outputs]."""
        given = dict(encoded)
        answers: Tensor = self._model.answer(
            self._model.network(given if len(given) > 1 else next(iter(given.values())))
        )
        return answers

    def by_input(self, moves: Encoded, rows: int) -> Tensor:
        """The sums [rows, inputs] in float64 of what belongs to each input."""
        made = torch.zeros(rows, len(self.names), dtype=torch.float64)
        for name, each in moves.items():
            if name in self._shaped:
                made[:, self._shaped[name]] = each.double().flatten(1).sum(dim=1)
            else:
                made.index_add_(1, self._owners, each.double())
        return made

    def mixed(self, start: Encoded, end: Encoded, chosen: Tensor) -> Encoded:
        """Rows [n] that have the inputs `chosen`, bool [n, inputs], of `end`, and the others of `start`."""
        made = {}
        for name, each in end.items():
            if name in self._shaped:
                where = chosen[:, self._shaped[name]].reshape(-1, *[1] * (each.ndim - 1))
            else:
                where = chosen[:, self._owners]
            made[name] = torch.where(where, each, start[name])
        return made


def rows_of(encoded: Encoded, rows: Tensor) -> Encoded:
    """The rows at these positions, int64 [m]."""
    return {name: each[rows] for name, each in encoded.items()}

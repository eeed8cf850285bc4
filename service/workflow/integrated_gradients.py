"""Integrated gradients: what each input adds to an answer on the straight way from a baseline.

After Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017. The integral over the way is computed by
Gauss-Legendre quadrature. The answers at both ends of a piece of the way say how far off the integral over the piece is: while
the whole way is too far off, its worse pieces, such as those with a bend of a ReLU, are halved.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from service.workflow.encoded_rows import Encoded, EncodedRows, rows_of

FIRST_PIECES = 4  # of each way
POINTS = 4  # of each piece
FEWEST_POINTS = FIRST_PIECES * (POINTS + 1)  # of a way, with those between its pieces
MOST_POINTS = 1024  # of a way, on the average of the rows


@dataclass(frozen=True)
class _Pieces:
    """Pieces of the ways: the row of each, int64 [p], its ends, 0 to 1, and the answers there, float64 [p]."""

    row: Tensor
    start: Tensor
    end: Tensor
    answer_at_start: Tensor
    answer_at_end: Tensor

    def __len__(self) -> int:
        return len(self.row)

    @property
    def width(self) -> Tensor:
        return self.end - self.start

    @property
    def difference(self) -> Tensor:
        return self.answer_at_end - self.answer_at_start


class IntegratedGradients:
    """The ways from one row to others.

    Args:
        model: in evaluation mode.
        start: the baseline, one row.
        end: the rows [n].
        which: the position of the explained answer of each row, int64 [n].
        at_once: the rows of a forward.
        check: called between two forwards; it may raise.
    """

    def __init__(
        self, model: EncodedRows, start: Encoded, end: Encoded, which: Tensor, at_once: int, check: Callable[[], None]
    ) -> None:
        self._model, self._start, self._end, self._which = model, start, end, which
        self._at_once, self._check = at_once, check

    def shares(self, here: Tensor, there: Tensor, tolerance: Tensor, most_points: int) -> Tensor | None:
        """What each input adds [n, inputs], float64, to the answers, so that each sum is `here` less `there` within the
        tolerance.

        Args:
            here, there: the answers at the rows and at the baseline, float64 [n].
            tolerance: float64 [n].
            most_points: on each way, on the average.

        Returns:
            None where there is no gradient, or a sum is off by more.
        """
        if not all(each.is_floating_point() for each in self._end.values()):
            return None
        points_left = len(here) * min(most_points, MOST_POINTS)
        made = torch.zeros(len(here), len(self._model.names), dtype=torch.float64)
        pieces = self._first(here, there)
        while (points_left := points_left - len(pieces) * (POINTS + 1)) >= 0:
            if (added := self._over(pieces)) is None:
                return None
            sums = made.sum(dim=1).index_add(0, pieces.row, added.sum(dim=1))
            enough = (sums - (here - there)).abs() <= tolerance
            off = (added.sum(dim=1) - pieces.difference).abs()
            good = enough[pieces.row] | (off <= tolerance[pieces.row] * pieces.width)
            made.index_add_(0, pieces.row[good], added[good])
            if good.all():
                return made
            pieces = self._halved(pieces, ~good)
        return None

    def _first(self, here: Tensor, there: Tensor) -> _Pieces:
        row = torch.arange(len(here)).repeat_interleave(FIRST_PIECES)
        start = torch.arange(FIRST_PIECES, dtype=torch.float64).repeat(len(here)) / FIRST_PIECES
        first, last = start == 0, start == 1 - 1 / FIRST_PIECES
        between = self._answers(row[~first], start[~first])
        at_start, at_end = there[row].clone(), here[row].clone()
        at_start[~first], at_end[~last] = between, between
        return _Pieces(row, start, start + 1 / FIRST_PIECES, at_start, at_end)

    def _halved(self, pieces: _Pieces, which: Tensor) -> _Pieces:
        row, start, end = pieces.row[which], pieces.start[which], pieces.end[which]
        middle = (start + end) / 2
        answer = self._answers(row, middle)
        return _Pieces(
            torch.cat([row, row]),
            torch.cat([start, middle]),
            torch.cat([middle, end]),
            torch.cat([pieces.answer_at_start[which], answer]),
            torch.cat([answer, pieces.answer_at_end[which]]),
        )

    def _over(self, pieces: _Pieces) -> Tensor | None:
        """What each input adds [p, inputs] on each piece."""
        nodes, weights = (torch.from_numpy(each) for each in np.polynomial.legendre.leggauss(POINTS))
        made = torch.zeros(len(pieces), len(self._model.names), dtype=torch.float64)
        for some in torch.arange(len(pieces) * POINTS).split(self._at_once):
            piece, node = some // POINTS, some % POINTS
            share = pieces.start[piece] + pieces.width[piece] * (nodes[node] + 1) / 2
            products = self._products(pieces.row[piece], share)
            if products is None:
                return None
            made.index_add_(0, piece, products * (weights[node] / 2 * pieces.width[piece])[:, None])
        return made

    def _products(self, row: Tensor, share: Tensor) -> Tensor | None:
        """Each input's gradient at points of the ways times how far it moves on the whole way, [m, inputs]."""
        self._check()
        with torch.enable_grad():
            given = {name: each.detach().requires_grad_() for name, each in self._at(row, share).items()}
            answers = self._model.answers(given).gather(1, self._which[row, None])
            if not answers.requires_grad:
                return None
            found = torch.autograd.grad(answers.sum(), list(given.values()), allow_unused=True)
        gradients = {name: each for name, each in zip(given, found, strict=True) if each is not None}
        moves = {name: each - self._start[name] for name, each in rows_of(self._end, row).items()}
        return self._model.by_input({name: each * moves[name] for name, each in gradients.items()}, len(row))

    @torch.no_grad()
    def _answers(self, row: Tensor, share: Tensor) -> Tensor:
        made = torch.empty(len(row), dtype=torch.float64)
        for some in torch.arange(len(row)).split(self._at_once):
            self._check()
            answers = self._model.answers(self._at(row[some], share[some]))
            made[some] = answers.gather(1, self._which[row[some], None])[:, 0].double()
        return made

    def _at(self, row: Tensor, share: Tensor) -> Encoded:
        """The points at these shares of the ways."""
        made = {}
        for name, end in rows_of(self._end, row).items():
            shares = share.to(end.dtype).reshape(-1, *[1] * (end.ndim - 1))
            made[name] = self._start[name] + shares * (end - self._start[name])
        return made

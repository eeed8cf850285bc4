"""Shapley values of the inputs of an answer, by sampling orders of the inputs; no gradients are needed.

After Castro, Gómez and Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009, and Štrumbelj and
Kononenko, "An efficient explanation of individual classifications using game theory", 2010. In each order the inputs change one
after the other from the baseline to the row, and each adds the change of the answer: so the sum is that of all changes, whatever
the orders are. Each order is also taken backwards, and of up to 4 inputs all orders are.
"""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from service.workflow.encoded_rows import Encoded, EncodedRows, rows_of

MOST_ORDERS = 64
ALL_ORDERS = 4  # inputs up to which all orders are taken
SEED = 0


def sampled_shapley(
    model: EncodedRows,
    start: Encoded,
    end: Encoded,
    which: Tensor,
    at_once: int,
    most_orders: int,
    check: Callable[[], None],
) -> Tensor:
    """What each input adds [n, inputs], float64, to the answers `which`. The same for the same rows.

    Args:
        start: the baseline, one row.
        end: the rows [n].
        which: the position of the explained answer of each row, int64 [n].
        at_once: the rows of a forward.
        most_orders: at least 2.
        check: called between two forwards; it may raise.
    """
    inputs = len(model.names)
    orders = _orders(inputs, most_orders)
    ranks = orders.argsort(dim=1)  # of each input in each order
    chosen = (ranks[:, None, :] < torch.arange(inputs + 1)[None, :, None]).flatten(0, 1)
    subsets, at = torch.unique(chosen, dim=0, return_inverse=True)
    values = _values(model, start, end, which, subsets, at_once, check)[:, at].unflatten(1, (len(orders), inputs + 1))
    added = values.diff(dim=2)  # [n, orders, the place in the order]
    made: Tensor = added.gather(2, ranks[None].expand(len(which), -1, -1)).mean(dim=1)
    return made


def order_count(inputs: int) -> int:
    """How many orders are taken where the work is not bounded."""
    return math.factorial(inputs) if inputs <= ALL_ORDERS else MOST_ORDERS


def _orders(inputs: int, most: int) -> Tensor:
    """Orders of the inputs, int64 [orders, inputs]."""
    if inputs <= ALL_ORDERS and math.factorial(inputs) <= most:
        return torch.tensor(list(itertools.permutations(range(inputs))))
    draw = torch.Generator().manual_seed(SEED)
    half = [torch.randperm(inputs, generator=draw) for _ in range(most // 2)]
    return torch.stack([each for order in half for each in (order, order.flip(0))])


@torch.no_grad()
def _values(
    model: EncodedRows,
    start: Encoded,
    end: Encoded,
    which: Tensor,
    subsets: Tensor,
    at_once: int,
    check: Callable[[], None],
) -> Tensor:
    """The answer [n, subsets] to each row that has only these inputs, bool [subsets, inputs], and the others of the baseline."""
    made = torch.empty(len(which) * len(subsets), dtype=torch.float64)
    for some in torch.arange(len(made)).split(at_once):
        check()
        rows = some // len(subsets)
        given = model.mixed(start, rows_of(end, rows), subsets[some % len(subsets)])
        made[some] = model.answers(given).gather(1, which[rows, None])[:, 0].double()
    return made.reshape(len(which), len(subsets))

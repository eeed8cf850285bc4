"""The cost of a row equals a computation by hand, and estimating it takes no memory of that size."""

import psutil
import pytest
import torch
from torch import nn

from service.workflow.forward_cost import measure
from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.tabm import TabM

EIGHT = InputShapes.of_columns(8)
WIDE = nn.Sequential(nn.Linear(8, 4096), nn.ReLU(), nn.Linear(4096, 1))
DEEP = nn.Sequential(*[layer for _ in range(50) for layer in (nn.Linear(64, 64), nn.Tanh())])
PADDED = nn.Sequential(nn.ConstantPad1d((0, 399_992), 0.0), nn.AdaptiveAvgPool1d(1))
CONVOLVED = nn.Sequential(nn.Unflatten(1, (1, 8)), nn.Conv1d(1, 64, 3, padding=1), nn.Flatten())


@pytest.mark.parametrize(
    ("network", "width", "numbers", "work"),
    [
        (WIDE, 8, 2 * 4096, 2 * 4096 + 8 * 4096 + 4096),
        (DEEP, 64, 2 * 64, 50 * (64 * 64 + 2 * 64)),  # frees earlier garbage
        (PADDED, 8, 400_000, 400_000),
        (CONVOLVED, 8, 64 * 8, 64 * 8 * 3),
        (TabM(8, 1, 128, 2, 8, 0.0, None), 8, 3 * 8 * 128, 8 * (8 * 128 + 128 * 128 + 128)),
    ],
)
def test_the_cost_equals_a_computation_by_hand(network: nn.Module, width: int, numbers: int, work: int) -> None:
    cost = measure(network.eval(), InputShapes.of_columns(width))
    assert numbers * 4 * 0.9 <= cost.bytes <= numbers * 4 * 1.5
    assert work * 0.9 <= cost.work <= work * 1.5


def test_estimating_a_large_model_takes_little_memory() -> None:
    before = psutil.Process().memory_info().rss
    cost = measure(nn.Sequential(nn.ConstantPad1d((0, 10**12), 0.0), nn.AdaptiveAvgPool1d(1)), EIGHT)
    assert cost.bytes >= 4 * 10**12
    assert psutil.Process().memory_info().rss - before < 2**24


class ValueDependent(nn.Module):
    """A module of a plug-in that depends on the values."""

    def __init__(self, broken: bool) -> None:
        super().__init__()
        self.inner, self.broken = nn.Linear(8, 1000), broken

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if float(x.max()) > 1 or self.broken:
            raise ValueError
        made: torch.Tensor = self.inner(x)
        return made


def test_a_module_that_needs_values_is_measured_with_zeros_or_by_its_parameters() -> None:
    assert measure(ValueDependent(broken=False), EIGHT).bytes == 4000
    assert 9000 <= measure(ValueDependent(broken=False), EIGHT).work <= 9010
    assert measure(ValueDependent(broken=True), EIGHT).work == 9000
    assert measure(ValueDependent(broken=True), EIGHT).bytes == 4 * 9000

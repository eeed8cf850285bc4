"""A model as a function gives the same bits as its module, for every kind of model and layer."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from service.serving.forward import MANY, forward
from service.serving.functional import functional
from service.serving.warm_models import Warm
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.models.mlp import Residual
from service.workflow.models.number_embedding import NumberEmbedding
from service.workflow.models.tabm import TabM
from service.workflow.preprocessing import Layout, fit, fit_target
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task

PLAIN = Layout([0, 1, 2], [], [0, 1, 2])
WITH_CATEGORY = Layout([0, 1], [(2, 3)], [0, 1, 2])


def table(rows: int = 64, *, missing: bool = False) -> torch.Tensor:
    drawn = torch.randn(rows, 3, generator=torch.Generator().manual_seed(1)) * 10 + 3
    drawn[:, 2] = drawn[:, 2].abs().clamp(max=3).floor()
    if missing:
        drawn[::3, 0] = torch.nan
    return drawn


def embedded(numbers: int) -> NumberEmbedding:
    made = NumberEmbedding(numbers, 5)
    made.fit(torch.linspace(-2, 2, 6)[:, None].expand(-1, numbers))
    nn.init.normal_(made.weight)
    return made


def stack(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


NETWORKS: dict[str, Any] = {
    "linear": lambda width: nn.Linear(width, 2),
    "mlp": lambda width: stack(nn.Linear(width, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)),
    "relu first": lambda width: stack(nn.ReLU(), nn.Linear(width, 2), nn.ReLU()),
    "two in a row": lambda width: stack(
        nn.Linear(width, 8), nn.ReLU(), nn.ReLU(), nn.Identity(), nn.ReLU(), nn.Linear(8, 2)
    ),
    "residual": lambda width: stack(nn.Linear(width, 8), Residual(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 2)),
    "norms": lambda width: stack(nn.Linear(width, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 2)),
    "nested": lambda width: stack(stack(nn.Linear(width, 8), stack(nn.ReLU())), nn.GELU(), nn.Linear(8, 2)),
    "no bias": lambda width: stack(nn.Linear(width, 8, bias=False), nn.ReLU(), nn.Linear(8, 2)),
    "tabm": lambda width: TabM(width, 2, 8, 2, 4, 0.1, None),
    "tabm with a head": lambda width: TabM(width, 2, 8, 1, 4, 0.1, nn.Sigmoid()),
    "embedded numbers": lambda width: TabM(width, 2, 8, 2, 4, 0.1, None, embedded(min(width, 2))),
}


@pytest.mark.parametrize("output", list(OutputKind))
@pytest.mark.parametrize("of", [PLAIN, WITH_CATEGORY])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_bits_as_the_module(network: str, normalize: bool, of: Layout, output: OutputKind) -> None:
    torch.manual_seed(0)
    for missing in (False, True):
        preprocessing = fit(of, table(missing=missing), normalize)
        width = of.width if preprocessing is None else preprocessing.width
        target = fit_target(torch.randn(64, 1 if output is OutputKind.VALUE_AND_VARIANCE else 2) * 5 + 2)
        scaled = target if output in (OutputKind.VALUE, OutputKind.VALUE_AND_VARIANCE) else None
        made = Model(NETWORKS[network](width), preprocessing, scaled, output, Task.REGRESSION)
        model = made.eval().requires_grad_(False)
        with torch.inference_mode():
            for rows in (1, 5, 64):
                raw = table(rows)
                before, expected = raw.clone(), model(raw)
                assert torch.equal(functional(model)(raw), expected)
                assert torch.equal(functional(model, missing=False)(raw), expected)
                assert torch.equal(raw, before), "the client's rows were written over"
            if preprocessing is not None:
                raw = table(missing=True)
                assert torch.equal(functional(model)(raw), model(raw))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    "of",
    [
        Layout([1], [(0, 2), (2, 3)], [0, 1, 2]),
        Layout([], [(0, 2), (1, 256), (2, 3)], [0, 1, 2]),
        Layout([0, 1], [(2, 0)], [0, 1, 2]),
        Layout([0, 2], [(1, 3)], [0, 1, 2]),
        Layout([0, 1, 2], [], [0]),
    ],
)
def test_categories_and_missing_values(of: Layout, normalize: bool, dtype: torch.dtype) -> None:
    raw = table(90).to(dtype)
    for slot, size in of.categories:
        raw[:, slot] = torch.arange(90) % (size + 1)  # 0 for an unknown category
    for missing in (False, True):
        if missing:
            raw[::4] = torch.nan
            raw[1::4, 1] = torch.nan
        preprocessing = fit(of, raw, normalize)
        assert preprocessing is not None or (of.plain and not normalize and not missing)
        width = of.width if preprocessing is None else preprocessing.width
        made = Model(nn.Linear(width, 2), preprocessing, None, OutputKind.VALUE, Task.REGRESSION)
        model = made.eval().requires_grad_(False)
        with torch.inference_mode():
            before = raw.clone()
            assert torch.equal(functional(model)(raw), model(raw))
            assert torch.equal(raw.nan_to_num(), before.nan_to_num()), "the client's rows were written over"


def test_both_classes_of_a_binary_task() -> None:
    model = Model(nn.Linear(3, 1), None, None, OutputKind.LOGIT, Task.BINARY).eval().requires_grad_(False)
    with torch.inference_mode():
        assert torch.equal(functional(model)(table()), model(table()))


def test_a_module_with_hooks_is_called() -> None:
    network, seen = nn.Sequential(nn.Linear(3, 1)), []
    network[0].register_forward_hook(lambda *_: seen.append(1))
    model = Model(network, None, None, OutputKind.VALUE, Task.REGRESSION).eval().requires_grad_(False)
    functional(model)(table())
    assert seen


@pytest.mark.parametrize("rows", [1, MANY - 1, MANY, 200])
@pytest.mark.parametrize("missing", [False, True])
def test_missing_values_are_filled_for_any_number_of_rows(rows: int, missing: bool) -> None:
    preprocessing = fit(PLAIN, table(), True)
    model = Model(nn.Linear(3, 1), preprocessing, None, OutputKind.VALUE, Task.REGRESSION).eval().requires_grad_(False)
    inputs = [Input(name=name, type="number") for name in "abc"]
    signature = Signature(task=Task.REGRESSION, inputs=inputs, outputs=[Output(name="y", type="number")])
    raw = table(rows)
    if missing:
        raw[-1, 1] = torch.nan
    with torch.inference_mode():
        expected = model(raw).numpy()
    assert np.array_equal(forward(Warm(model, signature), raw), expected) and not np.isnan(expected).any()

"""Parameters and their statistics, from a file of tensors."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from service.workflow import inspection
from service.workflow.errors import InvalidData
from service.workflow.inspection import header_of_file, parameters_of, summarize
from service.workflow.save_and_load import load_tensors, save
from service.workflow.tensor_file import write
from tests.workflow.learning import Trained, spec, train


@pytest.fixture(scope="module")
def trained() -> Trained:
    model = {"kind": "mlp", "hidden": [8], "normalization": "BatchNorm1d"}
    return train(spec("price", model=model, training={"epochs": 1}))


@pytest.fixture
def path(trained: Trained, tmp_path: Path) -> Path:
    save(trained.learned.model, tmp_path / "tensors")
    return tmp_path / "tensors"


def test_a_summary_has_the_parameters_and_no_buffers(trained: Trained, path: Path) -> None:
    resolved, signature, tensors = trained.resolved.spec, trained.learned.signature, load_tensors(path)
    summary, header = summarize(resolved, signature, path, tensors), header_of_file(path)
    shown = inspection.parameters(header, summary.parameters, statistics=True)
    network = trained.learned.model.network
    assert [each["name"] for each in shown["parameters"]] == [name for name, _ in network.named_parameters()]
    assert shown["total"] == shown["trainable"] == inspection.count(network)
    assert "running_mean" in str(header.tensors.keys()) and "running_mean" not in str(shown)
    for each in shown["parameters"]:
        values = tensors[each["name"]].double()
        assert each["shape"] == list(values.shape) and each["dtype"] == "float32" and each["count"] == values.numel()
        found = [each[name] for name in ("mean", "std", "min", "max")]
        expected = torch.stack([values.mean(), values.std(correction=0), values.min(), values.max()])
        assert found == pytest.approx(expected.tolist())
    bare = inspection.parameters(header, parameters_of(resolved, signature, header), statistics=False)
    assert bare == {
        **shown,
        "parameters": [
            {name: value for name, value in each.items() if name not in inspection.STATISTICS}
            for each in shown["parameters"]
        ],
    }


def test_tensors_of_another_model_are_refused(trained: Trained, path: Path) -> None:
    tensors = load_tensors(path)
    first = next(name for name in tensors if name.endswith("weight"))
    without = {name: tensor for name, tensor in tensors.items() if name != first}
    scalar = {**tensors, "preprocessing.indicated": torch.tensor(1)}
    for other in ({}, without, {**tensors, first: torch.zeros(1)}, scalar):
        write(other, path)
        with pytest.raises(InvalidData):
            parameters_of(trained.resolved.spec, trained.learned.signature, header_of_file(path))


NAN, INFINITY = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], [None] * 4),
        ([2.0], [2, 0, 2, 2]),
        ([1.0, 3.0], [2, 1, 1, 3]),
        ([1.0, NAN], [None] * 4),
        ([1.0, INFINITY], [None, None, 1, None]),
        ([-INFINITY, INFINITY], [None] * 4),
        ([3e38, -3e38], [0, 3e38, -3e38, 3e38]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_statistics(values: list[float], expected: list[Any], dtype: torch.dtype) -> None:
    found = inspection._statistics(torch.tensor(values, dtype=dtype))
    relative = 0.01 if dtype is torch.bfloat16 else 1e-6
    assert [*found.values()] == [pytest.approx(each, rel=relative) if each else each for each in expected]


def test_statistics_of_a_tensor_that_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.randn(100, 10, generator=torch.Generator().manual_seed(1)) + 1000
    whole = inspection._statistics(values)
    monkeypatch.setattr(inspection, "VALUES_AT_ONCE", 7)
    assert inspection._statistics(values) == pytest.approx(whole, rel=1e-12)
    assert whole["std"] == pytest.approx(values.double().std(correction=0).item(), rel=1e-12)


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (torch.tensor(3), 3),
        (torch.tensor(1.5, dtype=torch.bfloat16), 1.5),
        (torch.tensor([1.5], dtype=torch.bfloat16), [1.5]),
        (torch.tensor([1.5]).to(torch.float8_e5m2), [1.5]),
        (torch.tensor([1 + 2j], dtype=torch.complex64), [[1, 2]]),
        (torch.tensor([True]), [True]),
    ],
)
def test_values_for_json(tensor: torch.Tensor, expected: Any) -> None:
    values = inspection.values(tensor)
    assert (values.tolist() if tensor.dim() else values) == expected

"""An input whose values have a shape is a tensor of its own beside the columns of a table, from table to trained model."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from torch import nn

from service.workflow.data import tensor_cache
from service.workflow.data.schema import Column, Schema
from service.workflow.data.table import Table, Values
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.errors import InvalidSpec
from service.workflow.learn import TrainingResult, learn, predict
from service.workflow.model import restore
from service.workflow.models import KINDS, ModelKind
from service.workflow.models.input_shapes import InputShapes
from service.workflow.resolve import Resolved, resolve
from service.workflow.save_and_load import load, save
from service.workflow.signature import Input
from service.workflow.spec import parse, parse_resolved
from service.workflow.state import State, flatten, unflatten

ROWS, SIDE = 96, 6


class GridFeature(Feature):
    """Whether grids are mirrored."""

    mirrored: bool = True


class Grid(ShapedType):
    """A small picture, uint8 [1, 6, 6]."""

    name: ClassVar[str] = "grid"
    expects: ClassVar[str] = "a grid"
    feature: ClassVar[type[Feature]] = GridFeature
    augments: ClassVar[bool] = True

    def resolved(self, feature: Feature, column: Column) -> Feature:
        """It has no option that follows from the column."""
        return feature

    def shaped_fields(self, feature: Feature) -> dict[str, Any]:
        """Its shape."""
        return {"shape": [1, SIDE, SIDE], "dtype": "uint8"}

    def to_tensor(self, of: Input, column: Values, cache: TensorCache) -> torch.Tensor:
        """Copies the grids."""
        assert isinstance(column, np.ndarray)
        made = cache.empty((len(column), 1, SIDE, SIDE), torch.uint8)
        made.copy_(torch.from_numpy(column))
        return made

    def from_request(self, of: Input, values: Sequence[Any]) -> Values:
        """Arrays of the shape."""
        return np.stack(values)

    def augment(self, feature: Feature, batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Mirrors half of the grids."""
        assert isinstance(feature, GridFeature)
        if not feature.mirrored:
            return batch
        mirrored = torch.rand(len(batch), 1, 1, 1, generator=generator) < 0.5
        return torch.where(mirrored, batch.flip(3), batch)


class Joined(ModelKind):
    """A convolution of the grid, joined with the columns of a table."""

    kind: Literal["joined"] = "joined"

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """A new network."""
        return JoinedNetwork(inputs.by_name["features"].shape[0], outputs)


class JoinedNetwork(nn.Module):
    """Takes both tensors by name."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, 3)
        self.last = nn.Linear(3 + features, outputs)

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """From {"picture": [n, 1, 6, 6], "features": [n, d]} to [n, outputs]."""
        found = torch.relu(self.convolution(inputs["picture"])).mean(dim=(2, 3))
        outputs: torch.Tensor = self.last(torch.cat([found, inputs["features"]], dim=1))
        return outputs


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(COLUMN_TYPES, "grid", Grid())
    monkeypatch.setitem(KINDS, "joined", Joined)
    yield


def table() -> Table:
    draw = np.random.default_rng(5)
    bright = draw.integers(0, 2, ROWS)
    grids = draw.integers(0, 120, (ROWS, 1, SIDE, SIDE)) + 100 * bright[:, None, None, None]
    weight = draw.normal(size=ROWS)
    weight[3] = math.nan
    picture = grids.astype(np.uint8)
    return Table({"picture": picture, "weight": weight.astype(np.float32), "y": bright.astype(np.float64)})


def resolved(features: dict[str, Any], **parts: Any) -> Resolved:
    columns = [
        Column(name="picture", type="grid"),
        Column(name="weight", type="number", missing=1),
        Column(name="features", type="grid"),
        Column(name="y", type="number", integer=True, values=[0, 1], counts=[ROWS // 2, ROWS // 2]),
    ]
    training = {"epochs": 3, "batch_size": 16, "early_stopping": None} | parts.pop("training", {})
    data = {"kind": "dataset", "dataset": "grids", "target": "y", "features": features}
    spec = parse({"model_name": "m", "data": data, "training": training, **parts})
    return resolve(spec, Schema(rows=ROWS, columns=columns))


def train(of: Resolved, saved: State | None = None, stop_after: int | None = None) -> tuple[TrainingResult, State]:
    kept: State = {}
    steps = 0

    def after_step(state: Any) -> None:
        nonlocal steps, kept
        steps += 1
        if steps == stop_after:
            kept = unflatten(*flatten(state()))

    torch.set_num_threads(1)
    spec = parse_resolved(of.spec.to_json())
    return learn(spec, of.signature, table(), lambda *_: None, after_step=after_step, saved=saved), kept


BOTH = {"picture": {"type": "grid", "mirrored": True}, "weight": {"type": "number"}}
LAYERS = {
    "kind": "layers",
    "layers": [
        {"name": "Conv2d", "out_channels": 4, "kernel_size": 3},
        {"name": "ReLU"},
        {"name": "AdaptiveAvgPool2d", "output_size": 1},
        {"name": "Flatten"},
        {"name": "Linear"},
    ],
}


def test_a_grid_is_trained_beside_a_column_and_saved_with_its_scaling(tmp_path: Path) -> None:
    of = resolved(BOTH, model={"kind": "joined"}, training={"epochs": 40})
    assert of.spec.to_json()["data"]["features"]["picture"] == {"type": "grid", "mirrored": True}
    assert str(of.inputs) == "features [n, 2], picture [n, 1, 6, 6]"
    learned, _ = train(of)
    assert learned.evaluation.metrics["test"]["accuracy"] == 1.0
    tensors = learned.model.tensors()
    rows = table().columns["picture"][learned.split.train.numpy()].astype(np.float64)  # type: ignore[index]
    assert tensors["preprocessing.inputs.0.mean"].item() == pytest.approx(rows.mean(), rel=1e-6)
    assert tensors["preprocessing.inputs.0.std"].item() == pytest.approx(rows.std(), rel=1e-6)
    save(learned.model, tmp_path / "model")
    again = load(of.spec, learned.signature, tmp_path / "model")
    raw = {
        "features": torch.tensor([[0.5], [math.nan]]),
        "picture": torch.full((2, 1, SIDE, SIDE), 200, dtype=torch.uint8),
    }
    assert torch.equal(predict(again, raw), predict(learned.model, raw))
    assert torch.equal(restore(of.spec, learned.signature, tensors)(raw), again(raw))


@pytest.mark.parametrize("mirrored", [True, False])
def test_a_training_with_augmentation_goes_on_to_the_same_bits(mirrored: bool) -> None:
    of = resolved({"picture": {"type": "grid", "mirrored": mirrored}}, model=LAYERS)
    whole, kept = train(of, stop_after=7)  # in the second epoch
    assert kept["epoch"] == 2
    went_on, _ = train(of, saved=kept)
    for name, tensor in whole.model.tensors().items():
        assert torch.equal(tensor, went_on.model.tensors()[name]), name


def test_augmentation_changes_only_what_is_learned_from() -> None:
    plain, _ = train(resolved({"picture": {"type": "grid", "mirrored": False}}, model=LAYERS))
    mirrored, _ = train(resolved({"picture": {"type": "grid", "mirrored": True}}, model=LAYERS))
    names = ("preprocessing.inputs.0.mean", "preprocessing.inputs.0.std")
    assert all(torch.equal(plain.model.tensors()[name], mirrored.model.tensors()[name]) for name in names)
    assert any(
        not torch.equal(tensor, mirrored.model.tensors()[name]) for name, tensor in plain.model.tensors().items()
    )


def test_large_tensors_are_mapped_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = resolved(BOTH, model={"kind": "joined"})
    resident, _ = train(of)
    monkeypatch.setattr(tensor_cache, "RESIDENT_BYTES", 100)
    mapped = learn(of.spec, of.signature, table(), lambda *_: None, folder=tmp_path)
    assert [each.stat().st_size for each in tmp_path.iterdir()] == [ROWS * SIDE * SIDE]
    for name, tensor in resident.model.tensors().items():
        assert torch.equal(tensor, mapped.model.tensors()[name]), name


def test_wrong_specs_are_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"/data/features/picture/mirrored: "):
        resolved({"picture": {"type": "grid", "mirrored": 3}})
    with pytest.raises(InvalidSpec, match=r"/data/features/picture/size: "):
        resolved({"picture": {"type": "grid", "size": 3}})
    with pytest.raises(InvalidSpec, match=r"/data/features: 'features' is what the columns"):
        resolved({"features": {"type": "grid"}, "weight": {"type": "number"}}, model={"kind": "joined"})
    with pytest.raises(InvalidSpec, match=r"takes rows of numbers, not picture \[n, 1, 6, 6\]"):
        resolved({"picture": {"type": "grid"}}, model={"kind": "mlp"}).spec.model.build(
            resolved({"picture": {"type": "grid"}}, model=LAYERS).inputs, 1, None
        )

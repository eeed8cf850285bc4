"""Settings and results of trainings."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow import losses
from service.workflow.errors import InvalidSpec, TrainingDiverged
from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.tabm import TabM, TabMSpec
from service.workflow.save_and_load import load, save
from service.workflow.spec import EXAMPLE
from tests.examples import examples
from tests.workflow.learning import FEATURES, Trained, houses, spec, train

DEFAULTED = ("model", "training")


def bare(target: Any, **more: Any) -> dict[str, Any]:
    """A spec with only its data."""
    return {name: part for name, part in spec(target, **more).items() if name not in DEFAULTED}


def tensors(trained: Trained) -> dict[str, torch.Tensor]:
    return trained.learned.model.tensors()


def same(first: Trained, second: Trained) -> bool:
    ours, theirs = tensors(first), tensors(second)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


DROPOUT = {"kind": "mlp", "hidden": [16], "dropout": 0.3, "normalization": "BatchNorm1d"}


@pytest.mark.parametrize("model", [DROPOUT, {"kind": "tabm", "width": 16}])
def test_the_same_spec_gives_the_same_bits_and_another_seed_others(model: dict[str, Any]) -> None:
    assert same(train(spec("price", model=model)), train(spec("price", model=model)))
    assert not same(train(spec("price", model=model)), train(spec("price", model=model, training={"seed": 1})))


def test_a_spec_that_names_only_its_data_learns() -> None:
    for target, least in (("price", 0.95), ("kind", 0.9), ("dear", 0.8)):
        trained = train(bare(target))
        test, baseline = trained.learned.evaluation.metrics["test"], trained.learned.evaluation.metrics["baseline"]
        score = "r2" if target == "price" else "accuracy"
        assert (test[score] or 0) > least > (baseline[score] or 0)
        assert trained.resolved.spec.model.kind == "tabm"


def test_early_stopping_restores_the_best_weights() -> None:
    stopping = {"patience": 3, "monitor": "validation_loss"}
    training = {"epochs": 200, "early_stopping": stopping, "batch_size": 16}
    trained = train(spec("price", optimizer={"name": "Adam", "lr": 0.05}, training=training))
    history = [each["validation_loss"] for each in trained.losses]
    best = history.index(min(history))
    assert len(history) == best + 4
    shorter = train(spec("price", optimizer={"name": "Adam", "lr": 0.05}, training=training | {"epochs": best + 1}))
    assert same(trained, shorter)


def test_accumulated_batches_are_one_large_batch() -> None:
    records = houses(64)
    whole = {"train": 1.0, "shuffle": False}
    sgd = {"name": "SGD", "lr": 0.1}

    def learned(batch: int, steps: int) -> Trained:
        training = {"epochs": 1, "batch_size": batch, "accumulation_steps": steps}
        return train(spec("price", data={"records": records}, split=whole, optimizer=sgd, training=training))

    once, twice, other = learned(32, 1), learned(16, 2), learned(16, 1)
    for name, tensor in tensors(once).items():
        assert torch.allclose(tensor, tensors(twice)[name], atol=1e-6), name
    assert not same(twice, other)


def test_averaged_weights_replace_the_last_ones() -> None:
    plain, still = train(spec("price")), train(spec("price", training={"ema": {"decay": 0.9999}}))
    drawn = train(spec("price", training={"epochs": 0}))
    moved = (tensors(plain)["0.weight"] - tensors(drawn)["0.weight"]).norm()
    assert (tensors(still)["0.weight"] - tensors(drawn)["0.weight"]).norm() < 0.8 * moved


def test_clipped_gradients_bound_a_step() -> None:
    training = {"epochs": 1, "batch_size": "full", "gradient_clipping": 1e-3}
    sgd = {"name": "SGD", "lr": 1.0}
    drawn = tensors(train(spec("price", training={"epochs": 0})))
    stepped = tensors(train(spec("price", optimizer=sgd, training=training)))
    moved = sum(float((stepped[name] - drawn[name]).square().sum()) for name in drawn if name[0].isdigit()) ** 0.5
    assert 0 < moved <= 1.01e-3


def test_budgets_end_a_training() -> None:
    assert len(train(spec("price", training={"epochs": 100, "max_samples": 300})).losses) == 3
    assert len(train(spec("price", training={"epochs": 10_000_000, "max_seconds": 0.2})).losses) < 10_000_000


def test_a_training_that_diverges_names_the_epoch() -> None:
    with pytest.raises(TrainingDiverged, match=r"in epoch [123];"):
        train(spec("price", optimizer={"name": "SGD", "lr": 1e9}))


def test_zero_epochs_leave_the_initial_weights() -> None:
    trained = train(EXAMPLE | {"training": EXAMPLE["training"] | {"epochs": 0}})
    torch.manual_seed(42)
    assert tensors(trained)["weight"].equal(torch.randn(1))
    assert tensors(trained)["bias"].equal(torch.randn(1))
    assert trained.losses == []


@pytest.mark.parametrize("target", ["price", "dear", "kind", ["large", "old"], ["price", "visitors"]])
@pytest.mark.parametrize("kind", [{"kind": "mlp", "hidden": [8]}, {"kind": "tabm", "width": 16, "members": 3}])
def test_a_loaded_model_gives_the_same_predictions(tmp_path: Path, target: Any, kind: dict[str, Any]) -> None:
    trained = train(spec(target, model=kind, training={"epochs": 2}))
    save(trained.learned.model, tmp_path / "state_dict.safetensors")
    again = load(trained.resolved.spec, trained.learned.signature, tmp_path / "state_dict.safetensors")
    raw = torch.randn(5, 11)
    raw[0, 1] = torch.nan
    raw[:, 2] = torch.tensor([0.0, 1.0, 2.0, 3.0, torch.nan])
    assert torch.equal(again(raw), trained.learned.model(raw))
    assert list(again.tensors()) == list(trained.learned.model.tensors())


def test_several_numeric_targets() -> None:
    trained = train(spec(["price", "visitors"], model={"kind": "linear_regression"}, preprocessing={"normalize": True}))
    assert tensors(trained)["weight"].shape == (2, 15)
    assert tensors(trained)["bias"].shape == (2,)
    one = train(spec("price", model={"kind": "linear_regression"}))
    assert tensors(one)["weight"].shape == (15,)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(1, 6))
@settings(deadline=None, max_examples=examples(25))
def test_an_ensembles_loss_is_the_mean_of_its_members(members: int, rows: int, outputs: int, features: int) -> None:
    network = TabM(features, outputs, 8, 2, members, 0.0, None)
    x, y = torch.randn(rows, features), torch.randn(rows, outputs)
    output = network(x)
    assert output.shape == (members * rows, outputs)
    each = torch.stack([torch.nn.functional.mse_loss(one, y) for one in output.split(rows)])
    assert torch.allclose(losses.OfEachMember(torch.nn.MSELoss(), sums=False)(output, y), each.mean())


@given(st.integers(1, 10**7), st.integers(1, 10**4))
def test_the_default_networks_sizes_follow_the_formula(rows: int, columns: int) -> None:
    inputs = InputShapes.of_columns(columns)
    sized, defaults = TabMSpec().sized(rows, inputs), TabMSpec().training_defaults(rows, inputs)
    large = rows * columns >= 2**18
    assert (sized.width, sized.members, sized.dropout) == ((256, 4, 0.0) if large else (128, 8, 0.1))
    assert 10 <= defaults["epochs"] <= 100
    assert defaults["batch_size"] <= min(256, max(rows, 1))
    given_sizes = TabMSpec(width=7, members=2, dropout=0.5, bins=3)
    assert given_sizes.sized(rows, inputs) == given_sizes


def test_an_empty_column_is_no_feature_unless_named() -> None:
    records = [{"x": float(i), "nothing": None, "y": 0.5 * i} for i in range(30)]
    data = {"kind": "rows", "records": records, "target": "y"}
    trained = train({"model_name": "m", "data": data, "training": {"epochs": 1}})
    assert [each.name for each in trained.learned.signature.inputs] == ["x"]
    with pytest.raises(InvalidSpec, match="'nothing' is missing"):
        train({"model_name": "m", "data": data | {"features": ["x", "nothing"]}})


def test_rows_without_a_target_are_dropped() -> None:
    records = [{"x": float(i), "y": None if i % 4 == 1 else 0.5 * i} for i in range(40)]
    trained = train({"model_name": "m", "data": {"kind": "rows", "records": records, "target": "y"}})
    assert sum(trained.resolved.rows.values()) == 30
    parts = trained.learned.split
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 30
    classes = [{"x": float(i), "y": None if i < 10 else "ab"[i % 2]} for i in range(40)]
    trained = train({"model_name": "m", "data": {"kind": "rows", "records": classes, "target": "y"}})
    assert trained.learned.signature.classes == ["a", "b"]


def test_classes_with_the_same_float_stay_distinct() -> None:
    large = [2**62, 2**62 + 1]
    records = [{"x": i * 1.5, "y": large[i % 2]} for i in range(40)]
    data = {"kind": "rows", "records": records, "target": "y"}
    trained = train({"model_name": "m", "data": data, "training": {"epochs": 1}})
    assert trained.learned.signature.classes == large


def test_dates_missing_markers_and_large_integer_classes_in_rows() -> None:
    large = [2**53, 2**53 + 1, 2**53 + 2]
    records = [
        {
            "t": f"2024-01-{i % 28 + 1:02d}" + ("T05:00:00Z" if i % 3 else ""),
            "n": "NA" if i == 2 else i,
            "y": large[i % 3],
        }
        for i in range(30)
    ]
    trained = train(
        {"model_name": "m", "data": {"kind": "rows", "records": records, "target": "y"}, "training": {"epochs": 1}}
    )
    signature = trained.learned.signature
    assert [(each.name, each.type) for each in signature.inputs] == [("t", "datetime"), ("n", "number")]
    assert signature.inputs[1].missing == ["NA"]
    assert signature.classes == large
    assert sorted(set(trained.learned.points.truth)) == large


@pytest.mark.parametrize(
    ("records", "data", "pointer"),
    [
        ([{"x": 1.0, "y": 2.0}] * 9, {}, "/data/target"),
        ([{"x": float(i), "y": "a"} for i in range(9)], {}, "/data/target"),
        ([{"x": float(i), "y": None if i < 5 else 1.5 * i} for i in range(9)], {}, "/data/target"),
        ([{"x": float(i), "y": f"2024-01-0{i + 1}"} for i in range(9)], {}, "/data/target"),
        (
            [{"x": "a" if i == 4 else i, "y": 0.5 * i} for i in range(9)],
            {"features": {"x": {"type": "number"}}},
            "/data/features/x/type",
        ),
        (
            [{"x": "maybe" if i == 4 else "yes", "y": 0.5 * i} for i in range(9)],
            {"features": {"x": {"type": "boolean"}}},
            "/data/features/x/type",
        ),
        ([{"x": i, "y": 0.5 * i} for i in range(9)], {"features": {"x": {"type": "boolean"}}}, "/data/features/x/type"),
        (
            [{"x": i, "y": 0.5 * i} for i in range(9)],
            {"features": {"x": {"type": "datetime"}}},
            "/data/features/x/type",
        ),
        ([{"x": float(i), "y": str(i)} for i in range(9)], {"task": "regression"}, "/data/target"),
        ([{"x": float(i), "y": i % 3} for i in range(9)], {"task": "binary"}, "/data/task"),
        ([{"x": float(i), "y": 0.5 * i} for i in range(9)], {"target": "z"}, "/data/target"),
        ([{"x": float(i), "y": 0.5 * i} for i in range(9)], {"features": ["y"]}, "/data/features/0"),
        (
            [{"x": float(i), "y": 0.5 * i} for i in range(9)],
            {"features": {"w": {"type": "number"}}},
            "/data/features/w",
        ),
        (
            [{"x": float(i), "y": 0.5 * i} for i in range(9)],
            {"features": {"x": {"type": "image"}}},
            "/data/features/x/type",
        ),
        ([{"y": 0.5 * i} for i in range(9)], {}, "/data/features"),
        ([{"x": float(i), "y": i % 2 == 0, "z": float(i)} for i in range(9)], {"target": ["y", "z"]}, "/data/target"),
    ],
)
def test_an_impossible_training_is_refused_before_it_starts(records: Any, data: Any, pointer: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        train({"model_name": "m", "data": {"kind": "rows", "records": records, "target": "y"} | data})
    assert refusal.value.faults[0].pointer == pointer


def test_features_have_the_requested_types() -> None:
    types = FEATURES | {"garden": {"type": "category"}, "visitors": {"type": "category"}}
    trained = train(spec("price", data={"features": types}))
    found = {each.name: each.categories for each in trained.learned.signature.inputs}
    assert found["garden"] == ["false", "true"]
    assert "0" in (found["visitors"] or [])


def test_null_is_the_default_except_for_early_stopping() -> None:
    trained = train(
        spec("price", training={"epochs": None, "batch_size": None, "early_stopping": None, "max_samples": 200})
    )
    filled = trained.resolved.spec.training
    assert (filled.epochs, filled.batch_size, filled.early_stopping) == (100, "full", None)

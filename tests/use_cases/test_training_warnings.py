"""Planning a training before a job is created: warnings for surprises, and errors for what would fail."""

from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from service.use_cases.submit_training import Limits, Plan, plan
from service.workflow.errors import InvalidSpec
from service.workflow.spec import parse

AVERAGE = {"name": "AdaptiveAvgPool1d", "output_size": 1}
RECORDS = [{"x": i, "y": i * 0.5} for i in range(40)]
LIMITS = Limits(parameters=10**8, memory_bytes=2**40, model_bytes=2**40)


def planned(tmp_path: Path, records: list[dict[str, Any]], **more: Any) -> Plan:
    """The plan of a spec on these rows with the target `y`."""
    value = {"model_name": "m", "data": {"kind": "rows", "records": records, "target": "y"}, **more}
    return plan(Store.open(tmp_path), parse(value), LIMITS)


def test_rows_without_a_target_are_counted(tmp_path: Path) -> None:
    found = planned(tmp_path, [{"x": i, "y": None if i < 5 else i * 0.5} for i in range(45)])
    assert sum(found.rows.values()) == 40
    assert "5 of 45 rows have no 'y'; they are left out" in found.warnings


def test_classes_of_one_row_are_named(tmp_path: Path) -> None:
    found = planned(tmp_path, [{"x": i, "y": "rare" if i == 7 else "ab"[i % 2]} for i in range(40)])
    (warning,) = [each for each in found.warnings if "single row" in each]
    assert "1 of the classes of 'y'" in warning
    assert "'rare'" in warning


@pytest.mark.parametrize(
    ("targets", "warning"),
    [
        ([f"{i}.5" if i != 3 else "12x" for i in range(40)], "row 4 holds '12x'"),
        ([f"text {i}" for i in range(40)], "40 classes in 40 rows"),
        ([i % 5 for i in range(40)], "set data.task to regression"),
    ],
)
def test_a_numeric_target_taken_for_classes_gives_a_warning(tmp_path: Path, targets: list[Any], warning: str) -> None:
    # In rows, a text beside numbers may be a mistake.
    values = [float(each) if isinstance(each, str) and each.replace(".", "").isdigit() else each for each in targets]
    found = planned(tmp_path, [{"x": i, "y": value} for i, value in enumerate(values)])
    assert any(warning in each for each in found.warnings), found.warnings


def test_a_clean_table_gives_no_warning(tmp_path: Path) -> None:
    assert planned(tmp_path, [{"x": i, "y": i * 0.5} for i in range(40)]).warnings == []


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"training": {"batch_size": 1}}, "/training/batch_size"),
        ({"split": {"train": 0.025, "test": 0.975}, "training": {"batch_size": "full"}}, "/split/train"),
    ],
)
def test_batch_normalization_with_batches_of_one_row(tmp_path: Path, more: dict[str, Any], pointer: str) -> None:
    records = [{"x": i, "y": i * 0.5} for i in range(40)]
    model = {"kind": "mlp", "hidden": [4], "normalization": "BatchNorm1d"}
    with pytest.raises(InvalidSpec) as refusal:
        planned(tmp_path, records, model=model, **more)
    assert refusal.value.faults[0].pointer == pointer
    planned(tmp_path, records, model=model | {"normalization": "LayerNorm"}, **more)


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "mlp", "hidden": [4096, 4096]},
        {"kind": "layers", "layers": [{"name": "ConstantPad1d", "padding": [0, 10**9], "value": 0}, AVERAGE]},
    ],
)
def test_a_model_that_needs_too_much_memory_is_refused_before_a_job_is_created(
    tmp_path: Path, model: dict[str, Any]
) -> None:
    spec = {"model_name": "m", "data": {"kind": "rows", "records": RECORDS, "target": "y"}, "model": model}
    store = Store.open(tmp_path)
    with pytest.raises(InvalidSpec) as caught:
        plan(store, parse(spec), Limits(parameters=10**9, memory_bytes=2**40, model_bytes=2**24))
    (fault,) = caught.value.faults
    assert fault.pointer == "/model" and str(2**24) in fault.message


@pytest.mark.parametrize("batch_size", [24, "full"])
def test_a_batch_that_needs_too_much_memory_is_refused_with_a_size_that_fits(
    tmp_path: Path, batch_size: int | str
) -> None:
    records = [{"x": i, "y": i * 0.5} for i in range(40)]
    spec = {"model_name": "m", "data": {"kind": "rows", "records": records, "target": "y"}}
    spec["model"] = {"kind": "mlp", "hidden": [64]}
    store, limits = Store.open(tmp_path), Limits(parameters=10**9, memory_bytes=12_000, model_bytes=2**40)
    with pytest.raises(InvalidSpec) as caught:
        plan(store, parse(spec | {"training": {"batch_size": batch_size}}), limits)
    (fault,) = caught.value.faults
    assert fault.pointer == "/training/batch_size"
    most = int(fault.message.rpartition(" ")[2])
    assert 1 < most < 24
    plan(store, parse(spec | {"training": {"batch_size": most}}), limits)

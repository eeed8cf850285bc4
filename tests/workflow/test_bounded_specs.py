"""The number of reported errors of a spec, and the cost to find them, are bounded for any spec."""

from statistics import fmean, pstdev
from typing import Any

import pytest

from service.workflow.data.reading import ReadingOptions
from service.workflow.data.schema import Column, Schema
from service.workflow.errors import InvalidSpec
from service.workflow.resolve import resolve
from service.workflow.spec import TrainingSpec, parse
from service.workflow.spec_base import LONGEST_NAME, MOST_ENTRIES, MOST_FAULTS, MOST_SEARCHES, nearest
from tests.harness.processor_time import cheap
from tests.workflow.learning import no_dataset, resolved_from

pytestmark = pytest.mark.usefixtures("own_garbage")

MOST_CPU = 1.5  # processor seconds of a refused request, which takes a few hundredths
RECORDS = [{"a": 1.0 * i, "b": 2.0 * i} for i in range(4)]


def spec(**changes: Any) -> dict[str, Any]:
    return {"model_name": "m", "data": {"kind": "rows", "records": RECORDS, "target": "b"}, **changes}


def data(**changes: Any) -> dict[str, Any]:
    return spec(data={"kind": "rows", "records": RECORDS, "target": "b", **changes})


def spread_of(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "max": max(values), "mean": fmean(values), "std": pstdev(values)}


def refusal(value: Any) -> InvalidSpec:
    """The errors of a spec, found within `MOST_CPU`."""

    def refused() -> InvalidSpec:
        with pytest.raises(InvalidSpec) as caught:
            parse(value)
        return caught.value

    return cheap(refused, MOST_CPU)


names = [f"{'long' * 60}{i}" for i in range(MOST_ENTRIES)]
MANY = {
    "fields": spec(**{f"field{i}": 1 for i in range(200_000)}),
    "records": data(records=[{"a": []}] * 100_000),
    "records that are none": data(records=[7] * 100_000),
    "values of one record": data(records=[{name: {} for name in names}]),
    "features": data(features=[""] * MOST_ENTRIES),
    "types of features": data(features={name: {"typ": "number"} for name in names}),
    "targets": data(target=[1] * MOST_ENTRIES),
    "layers": spec(model={"kind": "layers", "layers": [{"name": f"Lineer{i}"} for i in range(500)]}),
    "arguments": spec(model={"kind": "layers", "layers": [{"name": "ReLU", **dict.fromkeys(names, 1)}] * 100}),
    "widths": spec(model={"kind": "mlp", "hidden": [0] * 256}),
    "weights": spec(loss={"name": "CrossEntropyLoss", "weight": dict.fromkeys(names, -1.0)}),
    "schedulers": spec(scheduler={"name": "ChainedScheduler", "schedulers": [{"name": "Step", "x": 1}] * 16}),
}


@pytest.mark.parametrize("of", MANY)
def test_the_number_of_reported_errors_is_bounded(of: str) -> None:
    faults = refusal(MANY[of]).faults
    assert len(faults) == (16 if of == "schedulers" else MOST_FAULTS)
    assert sum("known:" in each.message for each in faults) <= MOST_SEARCHES
    assert all(len(each.message) < 1000 for each in faults)


CHAIN: dict[str, Any] = {"name": "LinearLR"}
for _ in range(3):
    CHAIN = {"name": "ChainedScheduler", "schedulers": [CHAIN] * 16}
LONG = {
    "/scheduler": spec(scheduler=CHAIN),
    "/data/features": data(features=["a"] * (MOST_ENTRIES + 1)),
    "/data/target": data(target=["a"] * (MOST_ENTRIES + 1)),
    "/model/layers": spec(model={"kind": "layers", "layers": [{"name": "ReLU"}] * 1001}),
    "/model/hidden": spec(model={"kind": "mlp", "hidden": [1] * 257}),
    "/loss/weight": spec(loss={"name": "CrossEntropyLoss", "weight": {str(i): 1.0 for i in range(MOST_ENTRIES + 1)}}),
    "/scheduler/milestones": spec(scheduler={"name": "MultiStepLR", "milestones": [1] * (MOST_ENTRIES + 1)}),
    "/scheduler/schedulers": spec(scheduler={"name": "ChainedScheduler", "schedulers": [{"name": "LinearLR"}] * 17}),
    "/data/records": data(records=[{f"x{i}": 1 for i in range(MOST_ENTRIES + 1)}]),
}


@pytest.mark.parametrize("pointer", LONG)
def test_too_many_entries_are_refused_with_the_limit(pointer: str) -> None:
    (fault,) = refusal(LONG[pointer]).faults
    assert fault.pointer == pointer
    assert any(bound in fault.message for bound in ("at most", "the most that is taken"))


def test_sparse_records_are_bounded_by_the_size_of_their_table() -> None:
    sparse = [{f"x{i % 9000}": 1} for i in range(20_000)]
    assert "20000 records with 9000 fields together lack 179980000 values" in str(refusal(data(records=sparse)))


@pytest.mark.parametrize("records", [100, 1])
def test_the_cost_of_a_wide_table_is_that_of_its_values(records: int) -> None:
    wide = [{f"x{i}": i * at + 0.5 for i in range(5_000)} for at in range(records)]

    def surveyed() -> tuple[TrainingSpec, Schema]:
        parsed = parse(data(records=wide, target="x1"))
        return parsed, parsed.data.survey(no_dataset)[1]

    parsed, schema = cheap(surveyed, 3.0)  # half a second on an idle machine
    assert schema.columns[2].statistics == pytest.approx(spread_of([row["x2"] for row in wide]))
    assert parsed.to_json()["data"]["records"] == wide


@pytest.mark.parametrize("targets", [1, 9_990])
def test_the_time_to_plan_a_wide_table_grows_linearly(targets: int) -> None:
    columns = [Column(name=f"x{i}", type="number", statistics={"min": 0.0, "max": 9.0}) for i in range(MOST_ENTRIES)]
    chosen = [f"x{i}" for i in range(targets)]
    features = {f"x{i}": {"type": "number"} for i in range(targets, MOST_ENTRIES)}
    parsed = parse(data(target=chosen, features=features, task="regression"))
    small = parse(data())
    resolved_from(small)  # the first model loads parts of torch for a second
    schema = Schema(rows=1000, columns=columns)
    assert len(cheap(lambda: resolve(parsed, schema), MOST_CPU).signature.outputs) == targets


def test_searching_many_long_names_is_cheap() -> None:
    candidates = [f"{'ab' * 28}_{i}" for i in range(MOST_ENTRIES)]
    suggestion = cheap(lambda: nearest(f"{'ab' * 28}-1234", candidates), MOST_CPU / MOST_SEARCHES)
    assert f"{'ab' * 28}_1234" in suggestion.partition("?")[0]
    assert len(nearest("x" * 10**6, [each * LONGEST_NAME for each in candidates])) < 1000


def test_the_errors_of_a_file_are_bounded() -> None:
    def refused() -> None:
        with pytest.raises(ValueError, match="at most 10000"):
            ReadingOptions.model_validate({"types": {str(i): "numbre" for i in range(200_000)}})

    cheap(refused, MOST_CPU)

"""What the client returns: the JSON of the service, with attributes."""

import copy
import json
from typing import Any, get_type_hints

import pytest

from modelwright import Client, Job, Model, results
from modelwright.drift import Drift, DriftOfColumn
from modelwright.job import JobBase
from modelwright.live_metrics import FeedbackTaken, LiveMetrics
from modelwright.model import ModelBase, VersionBase
from modelwright.results import Column, Dataset, Problem
from modelwright.sweep import SweepBase
from service.api.schemas import (
    access,
    comparison,
    dataset,
    drift,
    explanation,
    feedback,
    job,
    lineage,
    model,
    prediction,
    service,
    sweep,
    upload,
)

HOUSES: dict[str, Any] = {
    "name": "houses",
    "rows": 3,
    "columns": [{"name": "price", "type": "number", "missing": 0}],
    "error": None,
    "of_a_newer_service": {"a": [1]},
}


def test_fields_are_attributes_and_keys() -> None:
    houses = Dataset(HOUSES)
    assert houses.name == houses["name"] == "houses"
    assert isinstance(houses.columns[0], Column) and houses.columns[0].type == "number"
    assert houses.error is None
    assert houses["of_a_newer_service"] == {"a": [1]}
    assert getattr(houses, "of_a_newer_service") == {"a": [1]}  # noqa: B009 - which no type knows
    damaged = Dataset(HOUSES | {"error": {"code": "version_corrupt", "detail": "damaged"}, "columns": None})
    assert isinstance(damaged.error, Problem) and damaged.error.code == "version_corrupt"


def test_a_result_is_the_json_of_the_service() -> None:
    houses = Dataset(HOUSES)
    assert houses == HOUSES
    assert json.loads(json.dumps(houses)) == HOUSES
    assert copy.deepcopy(houses) == HOUSES and type(copy.deepcopy(houses)) is Dataset


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match=r"this Dataset has no field 'bytes'; it has columns, error, name"):
        Dataset(HOUSES).bytes  # noqa: B018
    with pytest.raises(AttributeError, match="'rows' cannot be set"):
        Dataset(HOUSES).rows = 4
    assert not hasattr(Dataset(HOUSES), "reading")
    assert "rows" in dir(Dataset(HOUSES))


def test_a_result_shows_itself_briefly() -> None:
    shown = repr(Dataset(HOUSES | {"notes": ["x"] * 1000, "digest": "f" * 1000}))
    assert shown.startswith("Dataset(name='houses', rows=3, ") and "notes=<1000 items>" in shown and len(shown) < 500


METHODS = {  # which have the name of a field: that is in the dictionary alone
    JobBase: {"metrics"},
    ModelBase: {"versions"},
    VersionBase: set[str](),
    results.Trial: {"values"},
}
SCHEMAS: list[tuple[Any, Any]] = [
    (job.Job, JobBase),
    (job.OfSweep, results.OfSweep),
    (sweep.SweepWithTrials, SweepBase),
    (sweep.Trial, results.Trial),
    (sweep.Version, results.Outcome),
    (job.Attempt, results.Attempt),
    (job.Event, results.Event),
    (job.Plan, results.Plan),
    (dataset.Dataset, results.Dataset),
    (dataset.Column, results.Column),
    (dataset.Reading, results.Reading),
    (model.Model, ModelBase),
    (model.Version, VersionBase),
    (model.Manifest, VersionBase),
    (model.Parameters, results.Parameters),
    (model.Alias, results.Alias),
    (model.Retention, results.Retention),
    (prediction.Predictions, results.Predictions),
    (explanation.Explanations, results.Explanations),
    (upload.Upload, results.Upload),
    (access.Key, results.Key),
    (access.NewKey, results.NewKey),
    (service.ServiceDescription, results.ServiceDescription),
    (lineage.Lineage, results.Lineage),
    (comparison.Comparison, results.Comparison),
    (drift.Drift, Drift),
    (drift.DriftOfColumn, DriftOfColumn),
    (feedback.FeedbackTaken, FeedbackTaken),
    (feedback.LiveMetrics, LiveMetrics),
]


@pytest.mark.parametrize(("schema", "result"), SCHEMAS, ids=lambda each: each.__name__)
def test_every_field_of_the_service_has_a_type(schema: Any, result: Any) -> None:
    told = set(get_type_hints(schema)) - METHODS.get(result, set())
    known = set(get_type_hints(result)) - {"within", "client"}
    assert told <= known
    assert not {name for name in told if hasattr(result, name)}, "a method hides a field"


def test_fields_with_the_names_of_methods_are_in_the_dictionary() -> None:
    with Client() as client:
        made = Job(client, {"id": "j1", "metrics": {"train_loss": 0.5}})
        assert made.latest_metrics == made["metrics"] == {"train_loss": 0.5}
        assert callable(made.metrics)
        found = Model(client, {"name": "line", "versions": 3, "aliases": {"production": 2}, "latest": 3})
        assert (found.version_count, found.opened, found.promoted) == (3, 2, 3)

"""Bundles in which one value has another type: refused with its place, or harmless for every reader of the version."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.errors import NotAvailable
from service.workflow.look.chart_data import ChartData
from service.workflow.look.charts import CHARTS
from service.workflow.look.points import Points
from service.workflow.signature import Signature
from tests.api.conftest import train
from tests.api.test_bundles import ZIP, Members, closed, opened

MANIFEST, POINTS, HISTORY = "manifest.json", "files/points.json", "files/history.json"
OTHERS = [None, True, -1, 2**70, 1.5, float("nan"), "text", "", [], {}, [1], ["x"], [[None]], {"a": [1]}]
RECORDS = [{"x": i / 10, "c": "ab"[i % 2], "y": ["no", "yes", "may"][i % 3]} for i in range(30)]
TABLE: dict[str, Any] = {
    "data": {"kind": "rows", "records": RECORDS, "target": "y"},
    "model": {"kind": "mlp", "hidden": [4]},
    "loss": {"name": "CrossEntropyLoss"},
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
}
Places = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture(scope="module")
def bundle(http: httpx.Client) -> Members:
    """The bundle of a classifier, with every field that a manifest may have."""
    train(http, "to-be-changed", **TABLE)
    return opened(http.get("/v1/models/to-be-changed/versions/1/bundle").content)


@pytest.fixture(scope="module")
def places(bundle: Members) -> Places:
    """All places in its documents; of a list only the first and the last item."""
    documents = {MANIFEST: bundle[MANIFEST], POINTS: json.loads(bundle[POINTS]), HISTORY: json.loads(bundle[HISTORY])}
    found = [(member, path) for member, document in documents.items() for path in _places(document, ())]
    return [(member, path) for member, path in found if path[:1] not in ((), ("files",))]


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield path
    steps = value if isinstance(value, dict) else {0, len(value) - 1} if isinstance(value, list) and value else ()
    for step in sorted(steps):
        yield from _places(value[step], (*path, step))


def changed(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The value with another one at that place."""
    if not path:
        return other
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], other)
    return copy


@settings(max_examples=50)
@given(data=st.data())
def test_a_value_of_another_type_is_refused_or_harmless(
    http: httpx.Client, bundle: Members, places: Places, data: st.DataObject
) -> None:
    member, path = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from(OTHERS))
    members = dict(bundle)
    if member == MANIFEST:
        members[MANIFEST] = changed(bundle[MANIFEST], path, other)
    else:
        members[member] = json.dumps(changed(json.loads(bundle[member]), path, other)).encode()
    taken = http.post("/v1/models/changed/versions", content=closed(members), headers=ZIP)
    if taken.status_code == 422:
        detail = taken.json()["detail"]
        assert re.search(r": /\w|column \d|`format`|tensors|canonical|JSON", detail), detail
        return
    assert taken.status_code in (200, 201), taken.text
    at = f"/v1/models/changed/versions/{taken.json()['version']}"
    for address in ("/v1/models", "/v1/models/changed", "/v1/models/changed/versions", at, f"{at}/parameters"):
        assert http.get(address).status_code == 200, address
    predicted = http.post(f"{at}:predict", json={"instances": [{"x": 0.5, "c": "a"}]})
    assert predicted.status_code < 500, predicted.text
    draw(members)


def draw(members: Members) -> None:
    """Checks the data of every chart as the drawing process does."""
    manifest = members[MANIFEST]
    signature, points = Signature.model_validate(manifest["signature"]), Points.model_validate_json(members[POINTS])
    subject = ChartData(signature, points, json.loads(members[HISTORY]), manifest.get("confusion", {}))
    for chart in CHARTS.values():
        with suppress(NotAvailable):
            chart(subject).to_dict()


@pytest.mark.parametrize(
    ("member", "path", "other", "message"),
    [
        (MANIFEST, ("metrics", "test", "accuracy"), "high", "/metrics/test/accuracy: "),
        (MANIFEST, ("confusion", "test"), [[1]], "/confusion/test: expected 3 lists of 3 counts"),
        (MANIFEST, ("split", "test", "rows"), -1, "/split/test/rows: "),
        (MANIFEST, ("parameters",), -1, "/parameters: "),
        (MANIFEST, ("training", "seconds"), "2020-01-01", "/training/seconds: "),
        (MANIFEST, ("spec", "model", "hidden"), {"a": 1}, "/spec/model/hidden: "),
        (POINTS, ("parameters", 0, "counts"), [], "/parameters/0/edges: "),
        (POINTS, ("reliability", "part"), "all", "/reliability/part: expected one of "),
        (POINTS, ("reliability", "bins", "rows"), [1], "/reliability/bins/rows: expected 15"),
        (POINTS, ("reliability", "bins", "rows"), [0] * 15, "/reliability/bins/rows: expected some rows"),
        (POINTS, ("reliability", "bins", "right"), [9] * 15, "/reliability/bins/right: expected no more"),
        (POINTS, ("reliability", "bins", "confidence"), [2.0] * 15, "/reliability/bins/confidence/0: "),
        (POINTS, ("truth", 0), [1], "/truth/0"),
        (POINTS, ("features", "x", 0), "high", "/features/x: expected numbers"),
        (POINTS, ("probability",), None, "/probability: "),
        (POINTS, ("curves", "part"), "all", "/curves/part: "),
        (POINTS, ("curves", "curves", 0, "roc_area"), 1.5, "/curves/curves/0/roc_area: "),
        (POINTS, ("curves", "curves", 0, "true_positives"), [0], "/curves/curves/0/true_positives: "),
        (POINTS, ("curves", "curves"), [], "/plots: expected data, predictions, learning_curve"),
        (POINTS, ("more_targets",), [{"name": "z", "truth": [], "prediction": []}], "/more_targets: "),
        (MANIFEST, ("plots",), ["data", "roc"], "/plots: expected data, predictions, learning_curve"),
        (HISTORY, ("train_loss", 0), "1.5", "/train_loss/0: "),
        (HISTORY, ("train_loss", 0), [1.5], "/train_loss/0: "),
        (HISTORY, ("epoch", 0), None, "/epoch: "),
    ],
)
def test_errors_name_the_json_pointer(
    http: httpx.Client, bundle: Members, member: str, path: tuple[Any, ...], other: Any, message: str
) -> None:
    members = dict(bundle)
    document = bundle[MANIFEST] if member == MANIFEST else json.loads(bundle[member])
    wrong = changed(document, path, other)
    members[member] = wrong if member == MANIFEST else json.dumps(wrong).encode()
    taken = http.post("/v1/models/changed/versions", content=closed(members), headers=ZIP)
    assert (taken.status_code, taken.json()["code"]) == (422, "invalid_bundle"), taken.text
    assert message in taken.json()["detail"]

"""Drift over HTTP: what is counted, when there is a statement, and for which versions."""

import random
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.api.test_bundles import closed, opened

ZIP = {"Content-Type": "application/zip"}
SPLIT = {"train": 0.7, "validation": 0.15, "test": 0.15}


def rows_of(count: int, shift: float = 0.0, colours: str = "rgb", seed: int = 0) -> list[dict[str, Any]]:
    """Rows of two numbers and a category."""
    draw = random.Random(seed)  # noqa: S311 - test data
    return [{"a": draw.gauss(0, 1), "b": draw.gauss(shift, 1), "c": draw.choice(colours)} for _ in range(count)]


@pytest.fixture(scope="module")
def watched(http: httpx.Client) -> dict[str, Any]:
    """The manifest of a classifier of such rows, which some tests predict with."""
    records = [{**row, "y": "high" if row["a"] > 0 else "low"} for row in rows_of(2000)]
    data = {"kind": "rows", "records": records, "target": "y"}
    train(http, "watched", data=data, model=None, loss=None, split=SPLIT, training={"epochs": 1})
    manifest: dict[str, Any] = http.get("/v1/models/watched/versions/1").json()
    return manifest


def drift_of(http: httpx.Client, name: str, **query: Any) -> dict[str, Any]:
    answer = http.get(f"/v1/models/{name}/drift", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def predict(http: httpx.Client, name: str, rows: Iterable[dict[str, Any]], at_once: int = 50) -> None:
    given = [*rows]
    for start in range(0, len(given), at_once):
        body = {"instances": given[start : start + at_once]}
        answer = http.post(f"/v1/models/{name}/predictions", json=body)
        assert answer.status_code == 200, answer.text


def import_as(http: httpx.Client, name: str, change: Any) -> httpx.Response:
    """Imports the watched version, whose manifest is changed, under a name."""
    members = opened(http.get("/v1/models/watched/versions/1/bundle").content)
    change(members["manifest.json"])
    return http.post(f"/v1/models/{name}/versions", content=closed(members), headers=ZIP)


def test_the_manifest_has_the_reference(watched: dict[str, Any]) -> None:
    found = watched["reference"]
    assert [each["name"] for each in found["inputs"]] == ["a", "b", "c"]
    assert (found["answers_part"], found["left_out"]) == ("validation", 0)
    for each in found["inputs"]:
        assert sum(each["counts"]) + each["missing"] + each["unknown"] == watched["split"]["train"]["rows"]
    answer = found["answers"][0]
    assert (answer["name"], answer["codes"], sum(answer["counts"])) == (
        "y",
        [1, 2],
        watched["split"]["validation"]["rows"],
    )


def test_a_shift_of_one_column_is_found_and_chance_is_not(http: httpx.Client, watched: dict[str, Any]) -> None:
    assert import_as(http, "drifting", lambda _: None).status_code == 201
    few = drift_of(http, "drifting")
    assert (few["rows"], few["enough"], few["drifted"], few["inputs"]) == (0, False, None, [])
    assert "100" in few["reason"]
    predict(http, "drifting", rows_of(60, seed=1), at_once=1)  # the fast path
    predict(http, "drifting", rows_of(440, seed=2))
    usual = drift_of(http, "drifting", hours=1)
    assert (usual["rows"], usual["enough"], usual["drifted"], usual["reason"]) == (500, True, False, None)
    assert [each["name"] for each in (*usual["inputs"], *usual["answers"])] == ["a", "b", "c", "y"]
    assert all(sum(each["counts"]) == 500 for each in (*usual["inputs"], *usual["answers"]))
    predict(http, "drifting", rows_of(500, shift=1.0, seed=3))
    found = drift_of(http, "drifting", version="latest")
    assert (found["rows"], found["drifted"], found["version"]) == (1000, True, 1)
    assert [each["name"] for each in found["inputs"] if each["drifted"]] == ["b"]


def test_missing_and_unknown_values_are_shares_of_their_own(http: httpx.Client, watched: dict[str, Any]) -> None:
    assert import_as(http, "gappy", lambda _: None).status_code == 201
    rows = rows_of(300, colours="rgbx", seed=4)
    predict(http, "gappy", rows)
    found = {each["name"]: each for each in drift_of(http, "gappy")["inputs"]}
    unknown = sum(each["c"] == "x" for each in rows) / 300
    assert found["c"]["unknown"] == pytest.approx(unknown) and found["c"]["drifted"]
    assert (found["c"]["reference_unknown"], found["c"]["missing"], found["a"]["missing"]) == (0, 0, 0)


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/csv"])
def test_rows_of_every_format_are_counted(http: httpx.Client, watched: dict[str, Any], media_type: str) -> None:
    name = "counted-" + media_type.rpartition("/")[2]
    assert import_as(http, name, lambda _: None).status_code == 201
    if media_type == "text/csv":
        body = "a,b,c\n" + "".join(f"{each['a']},{each['b']},{each['c']}\n" for each in rows_of(120))
    else:
        body = "".join(f'{{"a": {each["a"]}, "b": {each["b"]}, "c": "{each["c"]}"}}\n' for each in rows_of(120))
    answer = http.post(f"/v1/models/{name}/predictions", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 200, answer.text
    assert drift_of(http, name)["rows"] == 120


@pytest.mark.parametrize("hours", ["0", "-1", "721", "1.5", "day"])
def test_bad_hours_are_refused(http: httpx.Client, watched: dict[str, Any], hours: str) -> None:
    answer = http.get("/v1/models/watched/drift", params={"hours": hours})
    assert answer.status_code == 422 and "hours" in answer.text


def test_what_does_not_exist_is_404(http: httpx.Client, watched: dict[str, Any]) -> None:
    assert http.get("/v1/models/nobody/drift").json()["code"] == "model_not_found"
    assert http.get("/v1/models/watched/drift?version=9").json()["code"] == "version_not_found"
    taken = import_as(http, "unwatched", lambda manifest: manifest.pop("reference"))
    assert taken.status_code == 201, taken.text
    predict(http, "unwatched", rows_of(3))
    answer = http.get("/v1/models/unwatched/drift")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_available")
    assert "Train it again" in answer.json()["detail"]


def test_a_bundle_with_a_wrong_reference_is_refused(http: httpx.Client, watched: dict[str, Any]) -> None:
    changes: list[tuple[Any, str]] = [
        (lambda found: found["inputs"][0]["counts"].append(1), "/reference/inputs/0"),
        (lambda found: found["inputs"].reverse(), "/reference/inputs"),
        (lambda found: found["inputs"][0].update(name="z"), "/reference/inputs"),
        (lambda found: found.update(left_out=1), "/reference/left_out"),
        (lambda found: found.update(answers_part="test"), "/reference/answers_part"),
    ]
    for change, pointer in changes:
        answer = import_as(http, "refused", lambda manifest, change=change: change(manifest["reference"]))
        assert answer.status_code == 422 and pointer in answer.text, answer.text


def test_there_are_metrics_of_what_was_counted(http: httpx.Client, watched: dict[str, Any]) -> None:
    text = http.get("/metrics").text
    assert "modelwright_drift_rows_total" in text and "modelwright_drift_rows_dropped_total" in text

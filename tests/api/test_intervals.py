"""Predictions with intervals and sets over HTTP: only when they are asked for, and never a wrong one."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import train
from tests.api.test_bundles import ZIP, closed, opened
from tests.workflow.learning import houses

JSON = "application/json"
ROW: dict[str, Any] = {"size": 0.5, "age": -1.0, "colour": "red"}
ROWS = [ROW, {"size": -2.0, "age": 0.3, "colour": "blue"}]
PRICES, KINDS = "/v1/models/prices", "/v1/models/kinds"


def spec(target: str | list[str], **more: Any) -> dict[str, Any]:
    """The parts of a spec with a calibration part."""
    return {
        "data": {"kind": "rows", "records": houses(300), "target": target, "features": ["size", "age", "colour"]},
        "split": {"train": 0.4, "validation": 0.1, "calibration": 0.2, "test": 0.3},
        "model": {"kind": "mlp", "hidden": [8]},
        "training": {"epochs": 20},
        "optimizer": {"name": "AdamW", "lr": 0.01},
        "loss": None,
    } | more


@pytest.fixture(scope="module", autouse=True)
def models(http: httpx.Client) -> None:
    """A regression and a classification with scores, one without, one of labels, and one with an input called `interval`."""
    train(http, "prices", **spec("price"))
    train(http, "kinds", **spec("dear"))
    train(http, "both", **spec(["price", "size2"], data=spec_of_two()))
    train(http, "bare", **spec("price", split={"test": 0.3}))
    train(http, "labelled", **spec(["large", "old"], split={"test": 0.3}))
    rows = [{"interval": each["size"], "price": each["price"]} for each in houses(300)]
    train(http, "timed", **spec("price", data={"kind": "rows", "records": rows, "target": "price"}))


def spec_of_two() -> dict[str, Any]:
    """Data with two targets."""
    rows = [each | {"size2": 5 * each["price"]} for each in houses(300)]
    return {"kind": "rows", "records": rows, "target": ["price", "size2"], "features": ["size", "age", "colour"]}


def predicted(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


def asked(http: httpx.Client, path: str, level: float = 0.9, **more: Any) -> Any:
    return predicted(http.post(f"{path}/predictions", json={"instances": ROWS, "interval": level} | more))


def test_an_interval_is_around_the_prediction(http: httpx.Client) -> None:
    plain = predicted(http.post(f"{PRICES}/predictions", json={"instances": ROWS}))
    width = http.get(f"{PRICES}/versions/1").json()["metrics"]["test"]["interval_width"]
    for value, each in zip(plain, asked(http, PRICES), strict=True):
        low, high = each["interval"]
        assert set(each) == {"prediction", "interval"} and each["prediction"] == value
        assert low < value < high and high - low == pytest.approx(width)
    narrow, wide = asked(http, PRICES, 0.6)[0]["interval"], asked(http, PRICES, 0.95)[0]["interval"]
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_several_targets_have_an_interval_each(http: httpx.Client) -> None:
    for each in asked(http, "/v1/models/both"):
        assert len(each["prediction"]) == len(each["interval"]) == 2
        assert all(low < value < high for value, (low, high) in zip(each["prediction"], each["interval"], strict=True))


def test_a_set_has_the_label(http: httpx.Client) -> None:
    plain = predicted(http.post(f"{KINDS}/predictions", json={"instances": ROWS}))
    for level in (0.6, 0.9, 0.97):
        for before, each in zip(plain, asked(http, KINDS, level), strict=True):
            assert {name: each[name] for name in before} == before
            assert each["label"] in each["set"] and set(each["set"]) <= {"yes", "no"}


@pytest.mark.parametrize("path", [PRICES, KINDS, "/v1/models/both"])
def test_every_way_of_asking_gives_the_same(http: httpx.Client, path: str) -> None:
    wanted = asked(http, path)
    columns: dict[str, Any] = {name: [each[name] for each in ROWS] for name in ROW}
    by_query, accept = {"interval": "0.9"}, {"Accept": JSON}
    lines = "\n".join(str(each).replace("'", '"') for each in ROWS)
    csv = "size,age,colour\n" + "\n".join(",".join(map(str, each.values())) for each in ROWS)
    address = f"{path}/predictions"
    assert predicted(http.post(address, json={"inputs": columns, "interval": 0.9})) == wanted
    assert predicted(http.post(address, json={"instances": ROWS}, params=by_query, headers=accept)) == wanted
    assert predicted(http.post(f"{path}/versions/1/predictions", json=ROWS, params=by_query)) == wanted
    assert predicted(http.get(address, params=columns | by_query)) == wanted
    assert predicted(http.post(f"{address}?%69nterval=0.9", json=ROWS)) == wanted
    for media_type, content in (("text/csv", csv), ("application/x-ndjson", lines)):
        headers = {"Accept": JSON, "Content-Type": media_type}
        assert predicted(http.post(address, content=content, params={"interval": 0.9}, headers=headers)) == wanted
    many = predicted(http.post(address, json={"instances": ROWS * 2000, "interval": 0.9}))
    one, other = many[::2], many[1::2]
    assert len(one) == 2000 and {str(each) for each in one}.isdisjoint(str(each) for each in other)
    for row, each in zip(wanted, (one[-1], other[-1]), strict=True):
        key = "set" if "set" in each else "interval"
        assert each[key] == pytest.approx(row[key]) if path == PRICES else len(each[key]) == len(row[key])


@pytest.mark.parametrize("level", [0.5, 1, 1.0, 0, -1, 90, True, None, "0.9", [0.9]])
def test_a_level_that_is_none_is_refused(http: httpx.Client, level: Any) -> None:
    for body in ({"instances": ROWS, "interval": level}, {"interval": level, "inputs": {"size": [0.5] * 500}}):
        refused = http.post(f"{PRICES}/predictions", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_instances")
        assert refused.json()["errors"][0]["pointer"] == "/interval"


@pytest.mark.parametrize("level", ["0.5", "1", "", "nan", "inf", "0_9", "x"])
def test_a_level_of_a_query_that_is_none_is_refused(http: httpx.Client, level: str) -> None:
    for response in (
        http.get(f"{PRICES}/predictions", params=ROW | {"interval": level}),
        http.post(f"{PRICES}/predictions", json={"instances": ROWS}, params={"interval": level}),
    ):
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/interval")


def test_a_level_is_given_once(http: httpx.Client) -> None:
    twice = {"interval": ["0.9", "0.8"]}
    for response in (
        http.get(f"{PRICES}/predictions", params=ROW | twice),
        http.post(f"{PRICES}/predictions", json={"instances": ROWS}, params=twice),
        http.post(f"{PRICES}/predictions", json={"instances": ROWS, "interval": 0.9}, params={"interval": 0.9}),
    ):
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/interval")


@pytest.mark.parametrize(
    ("name", "level", "message"),
    [
        ("bare", 0.9, "split.calibration"),
        ("labelled", 0.9, "several labels"),
        ("prices", 0.999, "60 rows, which are enough for a level of 0.9836 at most"),
    ],
)
def test_a_version_without_such_intervals_says_why(http: httpx.Client, name: str, level: float, message: str) -> None:
    for response in (
        http.post(f"/v1/models/{name}/predictions", json={"instances": ROWS, "interval": level}),
        http.post(f"/v1/models/{name}/predictions", json=ROW, params={"interval": level}),
        http.get(f"/v1/models/{name}/predictions", params=ROW | {"interval": level}),
    ):
        assert (response.status_code, response.json()["code"]) == (422, "not_available")
        assert message in response.json()["detail"]


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson", "application/x-npy"])
def test_intervals_are_json_only(http: httpx.Client, accept: str) -> None:
    headers = {"Accept": accept}
    lines = {"Content-Type": "application/x-ndjson"}
    for response in (
        http.post(f"{PRICES}/predictions", json={"instances": ROWS, "interval": 0.9}, headers=headers),
        http.post(f"{PRICES}/predictions", json={"instances": ROWS}, params={"interval": 0.9}, headers=headers),
        http.get(f"{PRICES}/predictions", params=ROW | {"interval": 0.9}, headers=headers),
        http.post(f"{PRICES}/predictions?interval=0.9", content='{"size":1,"age":2,"colour":"red"}\n', headers=lines),
    ):
        assert (response.status_code, response.json()["code"]) == (406, "not_acceptable"), response.text
        assert JSON in response.json()["detail"]


def test_an_input_of_that_name_stays_one_in_a_query(http: httpx.Client) -> None:
    path = "/v1/models/timed/predictions"
    plain = predicted(http.post(path, json={"instances": [{"interval": 0.7}]}))
    assert predicted(http.get(path, params={"interval": 0.7})) == plain
    assert http.get(path, params={"interval": 3.5}, headers={"Accept": "text/csv"}).status_code == 200
    assert predicted(http.post(path, json={"interval": 0.7})) == plain
    found = predicted(http.post(path, json={"instances": [{"interval": 0.7}], "interval": 0.9}))
    assert found[0]["prediction"] == plain[0]
    assert predicted(http.post(path, params={"interval": 0.9}, json={"inputs": {"interval": [0.7]}})) == found


def test_a_look_up_with_an_interval_has_its_own_etag(http: httpx.Client) -> None:
    plain, with_interval = (
        http.get(f"{PRICES}/versions/1/predictions", params=ROW | more) for more in ({}, {"interval": 0.9})
    )
    assert plain.headers["etag"] != with_interval.headers["etag"]
    known = {"If-None-Match": with_interval.headers["etag"]}
    same = http.get(f"{PRICES}/versions/1/predictions", params=ROW | {"interval": 0.9}, headers=known)
    assert same.status_code == 304


def test_a_bundle_keeps_the_scores_and_wrong_ones_are_refused(http: httpx.Client) -> None:
    bundle = http.get(f"{PRICES}/versions/1/bundle").content
    http.post("/v1/models/prices-there/versions", content=bundle, headers=ZIP).raise_for_status()
    assert asked(http, "/v1/models/prices-there") == asked(http, PRICES)
    for wrong in ({"rows": 7}, {"method": "least_ambiguous_set"}, {"scores": [[1.0, float("1e999")]]}, {"rows": "x"}):
        members = opened(bundle)
        members["manifest.json"]["conformal"] |= wrong
        refused = http.post("/v1/models/refused/versions", content=closed(members), headers=ZIP)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_bundle"), wrong


def test_a_split_by_time_has_no_calibration_part(http: httpx.Client) -> None:
    split = {"calibration": 0.2, "time": "size"}
    refused = http.post("/v1/training-jobs", json={"model_name": "m"} | spec("price", split=split))
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/split/calibration"
    planned = http.post("/v1/training-jobs/validate", json={"model_name": "m"} | spec("price"))
    assert planned.status_code == 200, planned.text
    assert planned.json()["rows"]["calibration"] == 60

"""Training jobs over HTTP: waiting, paging, events live and past, cancelling, idempotency."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.api.conftest import LINE, ended, train

EVENTS = {"Accept": "text/event-stream"}
LONG = {**LINE["training"], "epochs": 10_000_000}


def events_of(text: str) -> list[dict[str, Any]]:
    """Server-sent events; the id and type in each must match its data."""
    found = []
    for block in text.split("\n\n")[:-1]:
        if block.startswith(":"):
            continue  # a comment keeps the stream alive
        number, kind, data = (line.partition(": ")[2] for line in block.split("\n"))
        event = json.loads(data)
        assert (event["id"], event["type"]) == (int(number), kind)
        found.append(event)
    return found


def test_a_job_is_accepted_with_its_address(http: httpx.Client) -> None:
    accepted = http.post("/v1/training-jobs", json={**LINE, "model_name": "accepted"})
    job = accepted.json()
    assert accepted.status_code == 202
    assert accepted.headers["Location"] == f"/v1/training-jobs/{job['id']}"
    assert job["spec"]["split"]["train"] == 0.8 and job["spec"]["model"] == {"kind": "linear_regression"}
    ended(http, job["id"])
    done = http.get(accepted.headers["Location"], params={"wait": 60}).json()
    assert (done["status"], done["result"]) == ("succeeded", {"model_name": "accepted", "version": 1})
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]
    assert done["progress"]["fraction"] == 1 and done["attempt"] == 1


def test_waiting_ends_with_the_job_or_with_the_time(http: httpx.Client, line: dict[str, Any]) -> None:
    began = time.monotonic()
    assert http.get(f"/v1/training-jobs/{line['id']}?wait=60").json()["status"] == "succeeded"
    assert time.monotonic() - began < 50
    endless = http.post("/v1/training-jobs", json={**LINE, "model_name": "endless", "training": LONG}).json()
    job = http.get(f"/v1/training-jobs/{endless['id']}?wait=0.2").json()
    assert job["status"] in ("queued", "running")
    cancelled = http.post(f"/v1/training-jobs/{endless['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = http.post(f"/v1/training-jobs/{endless['id']}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    assert http.get("/v1/models/endless").status_code == 404


def test_a_job_that_has_ended_cannot_be_cancelled(http: httpx.Client, line: dict[str, Any]) -> None:
    answer = http.post(f"/v1/training-jobs/{line['id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")


def test_the_same_key_makes_one_job(http: httpx.Client) -> None:
    spec = {**LINE, "model_name": "keyed"}
    first = http.post("/v1/training-jobs", json=spec, headers={"Idempotency-Key": "key-1"})
    with_default = {**spec, "split": {**spec["split"], "seed": None}}  # other JSON text, the same spec
    again = http.post("/v1/training-jobs", json=with_default, headers={"Idempotency-Key": "key-1"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["Location"] == again.headers["Location"]
    other = http.post("/v1/training-jobs", json={**spec, "notes": "x"}, headers={"Idempotency-Key": "key-1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    for bad in ("", "k" * 256):
        refused = http.post("/v1/training-jobs", json=spec, headers={"Idempotency-Key": bad})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_pages_hold_every_job_once_the_newest_first(http: httpx.Client) -> None:
    made = [train(http, "paged", training={"epochs": 0})["id"] for _ in range(5)]
    found: list[str] = []
    query: dict[str, Any] = {"model_name": "paged", "limit": 2}
    while True:
        page = http.get("/v1/training-jobs", params=query).json()
        assert len(page["data"]) <= 2
        found += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        query["after"] = found[-1]
    assert found == made[::-1]
    assert http.get("/v1/training-jobs", params={"model_name": "paged", "status": "failed"}).json()["data"] == []


def test_events_so_far_and_as_a_stream_are_the_same(http: httpx.Client, line: dict[str, Any]) -> None:
    path = f"/v1/training-jobs/{line['id']}/events"
    listed = http.get(path)
    assert listed.headers["Content-Type"] == "application/json"
    events = listed.json()["data"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["data"]["status"] == "queued" and events[-1]["data"]["status"] == "succeeded"
    streamed = http.get(path, headers=EVENTS)
    assert streamed.headers["Content-Type"].startswith("text/event-stream")
    assert streamed.headers["Cache-Control"] == "no-store"
    assert events_of(streamed.text) == events
    for number in (0, 2, len(events) - 1):
        rest = http.get(path, headers={**EVENTS, "Last-Event-ID": str(number)})
        assert events_of(rest.text) == events[number:]
    assert http.get(path, params={"after": 2, "limit": 2}).json() == {
        "data": events[2:4],
        "has_more": len(events) > 4,
    }


def test_events_of_a_type(http: httpx.Client, line: dict[str, Any]) -> None:
    path = f"/v1/training-jobs/{line['id']}/events"
    every = http.get(path)
    listed = http.get(f"{path}?type=status&type=message")
    assert listed.json()["data"] == [each for each in every.json()["data"] if each["type"] != "metrics"]
    newest = every.json()["data"][-1]["id"]
    assert listed.headers["Last-Event-ID"] == every.headers["Last-Event-ID"] == str(newest)
    assert http.get(f"{path}?type=status&limit=1").json()["has_more"]
    refused = http.get(f"{path}?type=metric")
    assert refused.status_code == 422 and "metrics" in refused.text


def test_a_stream_with_nothing_left_is_204(http: httpx.Client, line: dict[str, Any]) -> None:
    path = f"/v1/training-jobs/{line['id']}/events"
    last = http.get(path).json()["data"][-1]["id"]
    for number in (last, last + 1, 10**17):
        answer = http.get(path, headers={**EVENTS, "Last-Event-ID": str(number)})
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("number", ["", "-1", "1.0", "one", "1" * 19, "1" * 5000])
def test_an_invalid_last_event_id_is_refused(http: httpx.Client, line: dict[str, Any], number: str) -> None:
    path = f"/v1/training-jobs/{line['id']}/events"
    answer = http.get(path, headers={**EVENTS, "Last-Event-ID": number})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_stream_is_live_and_closes_after_the_final_status(http: httpx.Client) -> None:
    job = http.post("/v1/training-jobs", json={**LINE, "model_name": "live", "training": LONG}).json()
    seen: list[dict[str, Any]] = []
    with http.stream("GET", f"/v1/training-jobs/{job['id']}/events", headers=EVENTS) as stream:
        text = ""
        for piece in stream.iter_text():
            text += piece
            seen = events_of(text[: text.rfind("\n\n") + 2]) if "\n\n" in text else []
            if [event for event in seen if event["type"] == "metrics"] and "cancelled" not in text:
                # The events come while it trains; then the stream ends.
                http.post(f"/v1/training-jobs/{job['id']}/cancel")
    assert [e["data"]["status"] for e in seen if e["type"] == "status"] == ["queued", "running", "cancelled"]
    assert seen[-1]["data"]["status"] == "cancelled"


def test_the_series_of_each_epoch(http: httpx.Client, line: dict[str, Any]) -> None:
    series = http.get(f"/v1/training-jobs/{line['id']}/metrics").json()
    assert next(iter(series)) == "epoch" and series["epoch"] == [1, 2, 3, 4, 5]
    assert len(series["train_loss"]) == 5 and "validation_loss" not in series
    none = train(http, "untrained", training={"epochs": 0})
    assert http.get(f"/v1/training-jobs/{none['id']}/metrics").json()["epoch"] == []


def test_a_spec_is_checked_without_training(http: httpx.Client) -> None:
    jobs = http.get("/v1/training-jobs", params={"model_name": "checked"}).json()["data"]
    plan = http.post("/v1/training-jobs/validate", json={**LINE, "model_name": "checked"})
    assert plan.status_code == 200
    assert plan.json()["parameters"] == 2
    assert plan.json()["rows"] == {"train": 40, "validation": 0, "test": 10}
    assert plan.json()["spec"]["training"]["epochs"] == 5
    assert http.get("/v1/training-jobs", params={"model_name": "checked"}).json()["data"] == jobs == []

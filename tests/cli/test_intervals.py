"""Intervals and sets by the Python client, on the command line and in the card."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

from modelwright import Client, ModelVersion, problems
from tests.cli.conftest import Run
from tests.harness.server import Server
from tests.workflow.learning import houses

SPLIT = {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2}
FEATURES = ["size", "age"]
ROWS = [[0.5, -1.0], [-2.0, 0.3]]


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, transport=httpx.HTTPTransport()) as client:
        yield client


def trained(client: Client, target: str, **more: Any) -> ModelVersion:
    """A model of the houses with a calibration part."""
    frame = pl.DataFrame(houses(200)).select(*FEATURES, target)
    name, small = f"intervals-{target}", {"kind": "mlp", "hidden": [8]}
    parts: dict[str, Any] = {"split": SPLIT, "model": small, "training": {"epochs": 5}} | more
    job = client.train(frame, target=target, model_name=name, **parts)
    return job.wait()


@pytest.fixture(scope="module")
def prices(client: Client) -> ModelVersion:
    return trained(client, "price")


@pytest.fixture(scope="module")
def kinds(client: Client) -> ModelVersion:
    return trained(client, "dear")


def test_rows_of_every_kind_get_intervals(client: Client, prices: ModelVersion) -> None:
    wanted = prices.predict(ROWS, interval=0.9)
    assert [each["prediction"] for each in wanted] == prices.predict(ROWS)
    frame = pl.DataFrame(ROWS, schema=FEATURES, orient="row")
    for rows in ({"size": [0.5, -2.0], "age": [-1.0, 0.3]}, np.array(ROWS), frame):
        found = prices.predict(rows, interval=0.9)
        assert [each["interval"] for each in found] == [pytest.approx(each["interval"]) for each in wanted]
    assert prices.predict(dict(zip(FEATURES, ROWS[0], strict=True)), interval=0.9) == wanted[0]
    by_name = client.predict(prices.name, ROWS, interval=0.9)["predictions"]
    assert by_name == wanted
    query: dict[str, Any] = dict(zip(FEATURES, ROWS[0], strict=True))
    assert client.predict(prices.name, query=query, interval=0.9)["predictions"] == wanted[:1]
    with pytest.raises(problems.NotAvailable, match="enough for a level"):
        prices.predict(ROWS, interval=0.999)
    with pytest.raises(problems.InvalidInstances):
        prices.predict(ROWS, interval=9)


def test_the_command_line_prints_them(run: Run, prices: ModelVersion, kinds: ModelVersion) -> None:
    printed = run("predict", prices.name, "size=0.5", "age=-1", "--interval", "0.9")
    value, _, interval = printed.out.strip().partition("  ")
    low, high = json.loads(interval)
    assert printed.status == 0 and low < float(value) < high
    label, probability, *listed = run(
        "predict", kinds.name, "--instances", json.dumps(ROWS[:1]), "--interval", "0.9"
    ).out.split()
    assert label in json.loads(" ".join(listed)) and 0 < float(probability) < 1
    asked = run("predict", prices.name, "size=0.5", "age=-1", "--interval", "0.9", "--json")
    assert json.loads(asked.out)["predictions"][0]["interval"] == [low, high]
    refused = run("predict", prices.name, "--file", "rows.csv", "--interval", "0.9")
    assert refused.status == 2 and "--interval" in refused.err


def test_the_card_says_how_often_they_were_right(prices: ModelVersion, kinds: ModelVersion) -> None:
    card = prices.card()
    metrics = (prices.metrics or {})["test"]
    assert "## Intervals" in card and "the 40 rows of the calibration part" in card and "| calibration | 40 |" in card
    assert (
        f"a share of {metrics['coverage']:.6g} has the truth in it; mean width {metrics['interval_width']:.6g}" in card
    )
    assert "mean number of classes" in kinds.card()


def test_a_version_is_shown_with_its_threshold(run: Run, client: Client) -> None:
    costs = {"cost": {"false_positive": 1, "false_negative": 9}}
    split = {"train": 0.4, "validation": 0.4, "test": 0.2}
    made = trained(client, "large", split=split, threshold=costs).refresh()
    assert made.threshold["positive"] is True and made.threshold["measure"] == "cost"
    said = f"answers true where its probability is above {made.threshold['threshold']:.4g}"
    assert said in run("models", "show", f"{made.name}@{made.version}").out

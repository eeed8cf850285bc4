"""Someone with few rows trains in folds, the machine fails amid them, and the model is the one that it would have been."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Server, verify
from tests.harness.until import until

ROWS, EPOCHS = 150, 400


def houses() -> list[dict[str, Any]]:
    """Prices that follow from sizes and districts, and chance."""
    draw = random.Random(11)  # noqa: S311 - test data
    made = []
    for at in range(ROWS):
        size, district = draw.uniform(40, 200), f"d{at % 6}"
        made.append({"size": size, "district": district, "price": 3 * size + 20 * (at % 6) + draw.gauss(0, 30)})
    return made


def spec(name: str) -> dict[str, Any]:
    """The most effort, with whole districts in a fold."""
    return {
        "model_name": name,
        "data": {"kind": "rows", "records": houses(), "target": "price", "features": ["size"]},
        "split": {"group": "district", "test": 0},
        "training": {"epochs": EPOCHS, "early_stopping": None},
        "model": {"kind": "mlp"},
        "effort": "max",
    }


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A service that saves checkpoints often."""
    with Server(tmp_path / "home", checkpoint_seconds=0.1) as server:
        yield server
        server.end()


def test_a_service_killed_amid_the_folds_publishes_the_same_model(own: Server) -> None:
    whole = own.client.wait(own.client.train(spec("whole"))["id"])
    assert whole["progress"]["epoch"] == 5 * EPOCHS
    for number in range(5):  # a training may end before the kill
        job_id = own.client.train(spec(f"struck-{number}"))["id"]
        until(lambda: (own.client.job(job_id)["progress"] or {"epoch": 0})["epoch"] > 1.5 * EPOCHS)  # noqa: B023 - used at once
        own.kill()
        own.start()
        own.client.wait(job_id)
        events = own.client.events(job_id)
        if any("continues after epoch" in str(event["data"].get("text")) for event in events):
            break
    else:
        raise AssertionError("no kill was quicker than a training")
    expected, found = own.client.manifest("whole", 1), own.client.manifest(f"struck-{number}", 1)
    assert found["files"]["state_dict.safetensors"] == expected["files"]["state_dict.safetensors"]
    assert found["folds"] == expected["folds"] and found["metrics"] == expected["metrics"]
    assert own.client.metrics(job_id)["epoch"] == [*range(1, 5 * EPOCHS + 1)]
    assert expected["folds"]["metrics"]["r2"]["mean"] > 0.8
    answer: Any = own.client.predict(f"struck-{number}", inputs={"size": [100.0]})
    assert 250 < answer["predictions"][0] < 450
    verify(own.home)

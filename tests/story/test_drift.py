"""Drift of a service of several processes: all rows of all workers are counted, and survive a stop."""

import random
from pathlib import Path

from modelwright import Client
from tests.harness.server import Server


def test_rows_of_all_workers_are_counted_and_survive_a_stop(tmp_path: Path) -> None:
    draw = random.Random(5)  # noqa: S311 - test data
    records = [{"a": (a := draw.gauss(0, 1)), "b": draw.gauss(0, 1), "y": 2 * a} for _ in range(1000)]
    data = {"kind": "rows", "records": records, "target": "y"}
    with Server(tmp_path / "home", workers=2, slots=1) as service:
        with Client(service.url) as client:
            client.train({"model_name": "watched", "data": data, "training": {"epochs": 1}}).wait()
        for _ in range(30):
            with Client(service.url) as client:  # a connection of its own, which either worker may accept
                client.predict("watched", [[draw.gauss(0, 1), draw.gauss(0.8, 1)] for _ in range(20)])
        assert service.stop() == 0
        service.start()
        with Client(service.url) as client:
            found = client.drift("watched", hours=1)
    assert (found.rows, found.enough, found.drifted) == (600, True, True)
    assert [each.name for each in found.inputs if each.drifted] == ["b"]

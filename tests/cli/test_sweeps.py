"""`modelwright sweeps`: a table or a spec is searched, and the best is named."""

import json
from pathlib import Path

import pytest

from tests.api.conftest import LINE
from tests.cli.conftest import Run


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    path = tmp_path / "swept houses.csv"
    path.write_text("area,price\n" + "".join(f"{40 + i},{100 + 3 * i + i % 3}\n" for i in range(60)))
    return path


def test_a_table_is_searched(run: Run, houses: Path) -> None:
    about = ("--set", "training.epochs=2", "--set", 'model={"kind": "linear_regression"}', "--set", "method=grid")
    values = 'optimizer={"choice": [{"name": "SGD", "lr": 0.01}, {"name": "Adam"}]}'
    done = run("sweeps", "start", houses, "--target", "price", "--search", values, *about)
    assert done.status == 0, done.err
    assert "The best is trial " in done.out and "optimizer: name: " in done.out
    assert done.out.rstrip().endswith("swept-houses@1")
    listed = run("sweeps", "list", "--model-name", "swept-houses", "--json")
    sweep = json.loads(listed.out)
    shown = run("sweeps", "show", sweep["id"])
    assert "trials_by_status" in shown.out and "succeeded: 2" in shown.out
    watched = run("sweeps", "watch", sweep["id"], "--json")
    assert json.loads(watched.out)["result"] == {"model_name": "swept-houses", "version": 1}
    trial = json.loads(watched.out)["trials"][0]["job_id"]
    assert "a trial of a sweep" in run("jobs", "watch", trial).out


def test_a_sweep_is_paused_resumed_and_cancelled(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    training = {"epochs": 10_000_000, "batch_size": "full"}
    search = {"optimizer.lr": {"log": [0.01, 0.1]}}
    spec.write_text(json.dumps({**LINE, "training": training, "search": search, "objective": "train_loss"}))
    sweep_id = run("sweeps", "start", spec, "--name", "cli-held", "--detach").out.strip()
    for verb, status in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert run("sweeps", verb, sweep_id).out == f"Sweep {sweep_id} is {status}.\n"
    ended = run("sweeps", "watch", sweep_id)
    assert ended.status == 1 and "cancelled" in ended.err
    unknown = run("sweeps", "show", "none")
    assert unknown.status == 3 and "modelwright sweeps list" in unknown.err
    assert run("sweeps", "start", tmp_path / "none.csv").status != 0

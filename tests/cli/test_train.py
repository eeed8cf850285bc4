"""`modelwright train`: tables and specs, settings, what it prints, and interruption."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.cli.sparkline import sparkline
from service.cli.training_source import read_spec
from tests.api.conftest import LINE
from tests.cli.conftest import Run
from tests.harness.server import ROOT, Server
from tests.harness.until import until

COLOUR = re.compile(r"\x1b\[(\d+;)*(3[0-8]|9[0-7])[;m]")
COMMAND = [sys.executable, "-m", "service"]
FEW = ("--set", "training.epochs=2", "--set", 'model={"kind": "linear_regression"}')


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    path = tmp_path / "Houses of 2024.csv"
    path.write_text("area,garden,price\n" + "".join(f"{40 + i},{'yn'[i % 2]},{100 + 3 * i}\n" for i in range(40)))
    return path


def test_a_table_becomes_a_model_with_metrics_and_next_steps(run: Run, houses: Path) -> None:
    trained = run("train", houses, "--target", "price", *FEW)
    assert trained.status == 0, trained.err
    lines = trained.out.splitlines()
    assert lines[0] == "Data set houses-of-2024@1: 40 rows, 3 columns"
    assert any(line.startswith("houses-of-2024: epoch 2 of 2  train_loss ") for line in lines)
    table = next(line for line in lines if line.startswith("metric"))
    assert table.split() == ["metric", "train", "validation", "test", "baseline"]
    assert "houses-of-2024@1" in lines
    predict = next(line for line in lines if line.strip().startswith("modelwright predict "))
    words = predict.partition("#")[0].split()[1:]
    assert words[1] == "houses-of-2024@1"
    assert run(*words).status == 0  # what it suggests works


def test_the_worst_group_is_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    rows = (f"{i % 97},{i % 5 == 0},{i % 97 * 2 + (1000 if i % 5 == 0 and i % 2 else 0)}" for i in range(1200))
    path.write_text("size,odd,price,late\n" + "".join(f"{row},{i % 89}\n" for i, row in enumerate(rows)))
    settings = ("--set", 'data.features=["size", "late"]', "--set", 'evaluation.by=["odd"]', "--set", "training.seed=1")
    trained = run("train", path, "--target", "price", *FEW, *settings)
    assert trained.status == 0, trained.err
    told = [each for each in trained.out.splitlines() if each.startswith("Worst group: ")]
    assert len(told) == 1 and "rows where odd is True: mae " in told[0]
    assert told[0] in run("models", "show", "orders@1").out


def test_names_and_targets_are_chosen(run: Run, houses: Path) -> None:
    options = ("--dataset", "homes", "--name", "rent", "--target", "price", "--target", "area")
    job = json.loads(run("train", houses, *options, *FEW, "--json").out)
    assert job["result"]["model_name"] == "rent"
    assert (job["spec"]["data"]["dataset"], job["spec"]["data"]["target"]) == ("homes", ["price", "area"])
    again = json.loads(run("train", "--dataset", "homes", "--target", "price", *FEW, "--dry-run", "--json").out)
    assert again["spec"]["model_name"] == "homes" and again["spec"]["data"]["version"] == 1


def test_the_columns_are_named_if_no_target_is_given(run: Run, houses: Path) -> None:
    for more in ((), ("--dry-run",)):
        refused = run("train", houses, "--name", "targetless", *more)
        assert refused.status == 2 and "--target" in refused.err
        assert all(column in refused.err for column in ("area", "garden", "price"))
    wrong = run("train", houses, "--target", "prise", "--name", "targetless")
    assert wrong.status == 1 and "did you mean 'price'" in wrong.err
    assert run("models", "show", "targetless").status == 3


def test_settings_change_the_spec(run: Run, houses: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.json"
    base.write_text(json.dumps({"model": {"kind": "mlp", "hidden": [8, 8]}, "notes": "x", "data": {"target": "price"}}))
    changes = (
        "model.hidden.1=16",
        "training.epochs=7",
        "notes=of, which=all",
        "optimizer.name=SGD",
        "optimizer.lr=0.5",
    )
    options = [each for change in changes for each in ("--set", change)]
    checked = json.loads(run("train", houses, "--spec", base, *options, "--dry-run", "--json").out)
    spec = checked["spec"]
    assert (spec["model"]["hidden"], spec["training"]["epochs"]) == ([8, 16], 7)
    assert (spec["notes"], spec["optimizer"]["name"], spec["optimizer"]["lr"]) == ("of, which=all", "SGD", 0.5)
    shown = run("train", houses, "--target", "price", "--dry-run")
    assert '"epochs": 100' in shown.out and shown.out.endswith("Nothing was trained.\n")
    assert run("models", "show", "houses-of-2024@2").status == 3


WRONG: list[tuple[str, str]] = [
    ("training.epochs", "PATH=VALUE"),
    ("=3", "PATH=VALUE"),
    ("a..b=3", "PATH=VALUE"),
    ("model.hidden.9=3", "a list of 1"),
    ("model.hidden.x=3", "a list of 1"),
    ("model.kind.x=3", "has no parts"),
    ("training.epochs=NaN", "/training/epochs"),
    (f"training.epochs={'[' * 100_000}", "/training/epochs"),
    ("model.hidden=[", "/model/hidden"),
]


@pytest.mark.parametrize(("setting", "said"), WRONG, ids=range(len(WRONG)))
def test_wrong_settings_are_refused(run: Run, tmp_path: Path, setting: str, said: str) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({**LINE, "model_name": "unset", "model": {"kind": "mlp", "hidden": [4]}}))
    refused = run("train", spec, "--set", setting)
    assert refused.status in (1, 2)
    assert said in " ".join(refused.err.replace("│", " ").split())


def test_a_spec_that_is_no_text_is_refused(run: Run, tmp_path: Path, houses: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_bytes(b"\xff\xfe{}")
    refused = run("train", houses, "--target", "price", "--spec", spec)
    assert refused.status in (1, 2) and "spec.json" in refused.err.replace("\n", "")


def test_a_json_object_is_a_spec_and_a_list_a_table(run: Run, tmp_path: Path) -> None:
    rows = [{"size": i, "cost": 2.0 * i} for i in range(20)]
    table, lines, one, spec = (tmp_path / name for name in ("list.json", "lines.json", "one.jsonl", "spec.json"))
    table.write_text(json.dumps(rows))
    lines.write_text("\n".join(map(json.dumps, rows)))
    one.write_text(json.dumps(rows[0]))
    spec.write_text("\ufeff" + json.dumps(LINE))
    assert [read_spec(str(path)) for path in (table, lines, one, spec)] == [None, None, None, LINE]
    checked = run("train", lines, "--target", "cost", "--dry-run", "--json")
    assert json.loads(checked.out)["spec"]["data"]["dataset"] == "lines", checked.err
    assert "Data set lines@1: 20 rows" in checked.err
    confused = run("train", spec, "--target", "y")
    assert confused.status == 2 and "is a training spec" in " ".join(confused.err.replace("│", " ").split())
    for wrong in ('{"model_name": ', "nothing"):
        spec.write_text(wrong)
        assert run("train", spec, "--target", "y").status == 2
    assert run("train").status == 2


@pytest.mark.parametrize(
    ("series", "drawn"),
    [
        ([], ""),
        ([3.0], "▁"),
        ([1, 1, 1], "▁▁▁"),
        ([0.0, 7.0], "▁█"),
        ([1, 10, 100], "▁▅█"),  # a logarithmic scale
        ([float("nan"), 2.0, float("inf"), 1.0], "█▁"),
        ([8, 8, 1, 1], "██▁▁"),
    ],
)
def test_sparklines(series: list[float], drawn: str) -> None:
    assert sparkline(series, 8) == drawn
    assert sparkline([*range(1000)], 8).startswith("▁") and len(sparkline([*range(1000)], 8)) == 8


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, server: Server, *arguments: object, **environment: str) -> None:
        given = {
            "MODELWRIGHT_URL": server.url,
            "NO_PROXY": "*",
            "TERM": "xterm-256color",
            "COLUMNS": "160",
            **environment,
        }
        self.said = ""
        self._terminal, child = pty.openpty()
        self.process = subprocess.Popen(  # noqa: S603 - our own
            [*COMMAND, *map(str, arguments)], cwd=ROOT, env=os.environ | given, stdin=child, stdout=child, stderr=child
        )
        os.close(child)

    def read(self) -> str:
        """What it has printed so far."""
        while select.select([self._terminal], [], [], 0.05)[0]:
            try:
                piece = os.read(self._terminal, 1 << 16)
            except OSError:  # it has ended
                break
            self.said += piece.decode()
        return self.said

    def end(self) -> int:
        """Reads until it ends; its exit status."""
        until(lambda: self.read() is not None and self.process.poll() is not None, 120)
        self.read()
        os.close(self._terminal)
        return self.process.returncode


@pytest.fixture
def endless(server: Server, tmp_path: Path) -> Iterator[Path]:
    """A spec of a training that ends when it is cancelled."""
    path = tmp_path / "endless.json"
    path.write_text(json.dumps({**LINE, "model_name": "watched", "training": {"epochs": 10**7}}))
    yield path
    for job in server.client.jobs(model_name="watched"):
        if job["status"] in ("queued", "running"):
            server.client.cancel(job["id"])


def test_a_job_is_watched_and_goes_on_without_its_watcher(server: Server, endless: Path) -> None:
    """A terminal shows a bar and a sparkline; after Ctrl-C the job goes on, and its log can be followed to its end."""
    terminal = Terminal(server, "train", endless, NO_COLOR="1")
    until(lambda: "/10000000" in terminal.read() and "train_loss" in terminal.said, 120)
    assert any(block in terminal.said for block in "▁▂▃▄▅▆▇█")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    job = next(iter(server.client.jobs(model_name="watched")))
    assert job["status"] == "running"
    assert f"modelwright jobs cancel {job['id']}" in terminal.said
    assert not COLOUR.search(terminal.said) and "Traceback" not in terminal.said

    command = [*COMMAND, "logs", job["id"], "-f", "--json"]
    environment: dict[str, Any] = os.environ | {"MODELWRIGHT_URL": server.url, "NO_PROXY": "*"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as following:  # noqa: S603 - our own
        assert following.stdout is not None
        events = [json.loads(following.stdout.readline())]
        while events[-1]["type"] != "metrics":  # they come while it runs
            events.append(json.loads(following.stdout.readline()))
        server.client.cancel(job["id"])
        events += map(json.loads, following.stdout)
        assert following.wait(60) == 0
    assert events[-1]["data"] == {"status": "cancelled"}
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})

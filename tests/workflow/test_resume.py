"""A training that is killed and resumed from its last checkpoint ends with the same bits as an uninterrupted one.

`KILL_POINTS` is the number of random kill points, 5 by default; `KILL_SEED` repeats the run that printed it.
"""

import hashlib
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from model_store.durable_files import sync
from service.workflow import optimizers, schedulers
from service.workflow.checkpoint_folder import NAME, CheckpointFolder
from service.workflow.errors import CheckpointUnfit
from service.workflow.save_and_load import save
from service.workflow.state import State
from tests.workflow import train_and_save
from tests.workflow.learning import Trained, spec, train

KILL_POINTS = int(os.environ.get("KILL_POINTS", "5"))

MLP = {"kind": "mlp", "hidden": [16]}
NETWORK = {"kind": "mlp", "hidden": [16, 8], "dropout": 0.2, "normalization": "BatchNorm1d"}
MOMENTUM = {"name": "SGD", "lr": 0.02, "momentum": 0.9, "nesterov": True}
STOPPING = {"patience": 2, "min_delta": 0.01}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "momentum, shuffle, clipping": spec("price", optimizer=MOMENTUM, training={"gradient_clipping": 0.5}),
    "Adam, dropout, batch norm": spec("dear", model=NETWORK, optimizer={"name": "Adam", "lr": 0.02}),
    "early stopping": spec("kind", optimizer=MOMENTUM, training={"early_stopping": STOPPING, "epochs": 40}),
    "average of the weights": spec("price", model=NETWORK, training={"ema": {"decay": 0.9}, "batch_size": 16}),
    "average and early stopping": spec(
        "kind", optimizer=MOMENTUM, training={"ema": {"decay": 0.8}, "early_stopping": STOPPING, "epochs": 60}
    ),
    "accumulation": spec("price", model=NETWORK, training={"accumulation_steps": 3, "batch_size": 10}),
    "the default network": spec("price", model={"kind": "tabm", "width": 16, "members": 4}),
    "the default network by its mean answer": spec(
        "kind",
        model={"kind": "tabm", "width": 16, "members": 4},
        optimizer=MOMENTUM,
        training={"early_stopping": STOPPING, "epochs": 40},
    ),
    "the default network in full": {k: v for k, v in spec("kind", training={"epochs": 3}).items() if k != "model"},
    "the whole part at once": spec("price", model=NETWORK, training={"batch_size": "full", "epochs": 20}),
    "samples bounded": spec("price", training={"max_samples": 300}),
    "a sum as loss, in bfloat16": spec(
        "price", loss={"name": "MSELoss", "reduction": "sum"}, training={"precision": "bfloat16"}
    ),
    "a schedule by steps": spec(
        "price",
        optimizer=MOMENTUM,
        scheduler={"name": "OneCycleLR", "max_lr": 0.05, "total_steps": 20, "interval": "step"},
    ),
    "a bag of folds": spec("kind", model=NETWORK, split={"kind": "k_fold", "folds": 3}, training={"epochs": 3}),
    "folds, then all rows": spec(
        "price",
        model={"kind": "tabm", "width": 16, "members": 4, "dropout": 0.1},
        optimizer=MOMENTUM,
        split={"kind": "k_fold", "folds": 2, "final": "refit"},
        training={"early_stopping": STOPPING, "epochs": 12, "max_samples": 4000},
    ),
    "windows of time, averaged weights": spec(
        "dear",
        split={"kind": "k_fold", "folds": 2, "time": "sold", "final": "bag", "test": 0},
        training={"ema": {"decay": 0.9}, "epochs": 4},
    ),
}


class Killed(Exception):
    """Simulates `kill -9`: the state in memory is not used again."""


class InterruptedRun:
    """Saves after every `every` steps, and raises Killed after step `end`, counted from 1."""

    def __init__(self, folder: Path, every: int = 1, end: int | None = None) -> None:
        self.steps = 0
        self._checkpoints = CheckpointFolder(folder, sync)
        self._every = every
        self._end = end

    def after_step(self, make: Callable[[], State]) -> None:
        self.steps += 1
        if self.steps % self._every == 0:
            self._checkpoints.save(make())
        if self.steps == self._end:
            raise Killed


def digest(trained: Trained) -> str:
    """The SHA-256 of the published state_dict."""
    with tempfile.TemporaryDirectory() as folder:
        save(trained.learned.model, Path(folder) / "state_dict.safetensors")
        return hashlib.sha256((Path(folder) / "state_dict.safetensors").read_bytes()).hexdigest()


def check(value: dict[str, Any], whole: Trained, folder: Path, kills: list[tuple[int, int]]) -> None:
    """Train with these interrupted runs, (every, end) each, and a last uninterrupted one, and compare the digests."""
    for every, end in kills:
        with pytest.raises(Killed):
            train(value, InterruptedRun(folder, every, end).after_step, CheckpointFolder(folder, sync).load().state)
    trained = train(value, saved=CheckpointFolder(folder, sync).load().state)
    assert digest(trained) == digest(whole)
    assert trained.losses == whole.losses[len(whole.losses) - len(trained.losses) :]
    assert trained.learned.points == whole.learned.points


@cache
def uninterrupted(name: str) -> tuple[Trained, int]:
    """The training of a configuration, and its number of steps."""
    with tempfile.TemporaryDirectory() as folder:
        run = InterruptedRun(Path(folder), every=sys.maxsize)
        return train(CONFIGURATIONS[name], run.after_step), run.steps


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_training_killed_near_its_end_ends_with_the_same_bits(tmp_path: Path, name: str) -> None:
    whole, steps = uninterrupted(name)
    if "early" in name:
        settings = whole.resolved.spec.training
        assert len(whole.losses) < (settings.epochs or 0)
    check(CONFIGURATIONS[name], whole, tmp_path, [(1, steps - 1)])


@pytest.mark.parametrize("point", range(KILL_POINTS))
def test_a_training_killed_at_any_step_ends_with_the_same_bits(tmp_path: Path, point: int) -> None:
    seed = int(os.environ.get("KILL_SEED") or secrets.randbits(32))
    draw = random.Random(seed)  # noqa: S311 - no secret
    # Use every configuration once before repeating one, for any seed.
    name = list(CONFIGURATIONS)[(point * 5 + (draw.randrange(12) if KILL_POINTS < 12 else 0)) % len(CONFIGURATIONS)]
    whole, steps = uninterrupted(name)
    kills, left = [], steps
    for _ in range(draw.randint(1, 3)):
        if left > 1:
            every, end = draw.randint(1, 4), draw.randint(1, left - 1)
            kills.append((every, end))
            left -= end - end % every
    sys.stdout.write(f"KILL_SEED={seed} {name}: killed at {kills} of {steps} steps\n")  # shown by pytest on failure
    check(CONFIGURATIONS[name], whole, tmp_path, kills)


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_every_optimizer_resumes_to_the_same_bits(tmp_path: Path, name: str) -> None:
    more = {"line_search_fn": "strong_wolfe"} if name == "LBFGS" else {}
    value = spec("price", model=MLP, optimizer={"name": name, **more}, training={"epochs": 3})
    # 112 rows in batches of 32 are four steps an epoch: killed after one, and after the last of one.
    check(value, train(value), tmp_path, [(1, 5), (1, 3)])


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "Muon", "NAdam", "LBFGS"])
def test_large_networks_resume_to_the_same_bits(tmp_path: Path, name: str) -> None:
    large = {"kind": "mlp", "hidden": [96, 64]}
    value = spec("price", model=large, optimizer={"name": name}, training={"epochs": 3})
    check(value, train(value), tmp_path, [(1, 6)])


LINEAR, DECAY = {"name": "LinearLR", "total_iters": 3}, {"name": "ExponentialLR", "gamma": 0.8}
WAVES = {"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3}
SCHEDULERS: dict[str, list[dict[str, Any]]] = {
    "CosineAnnealingLR": [{"T_max": 4}],
    "CosineAnnealingWarmRestarts": [{"T_0": 2, "T_mult": 2}],
    "CyclicLR": [{**WAVES, "mode": mode, "gamma": 0.9} for mode in ("triangular", "triangular2", "exp_range")],
    "ExponentialLR": [{"gamma": 0.8}],
    "MultiStepLR": [{"milestones": [2, 2, 4]}],
    "OneCycleLR": [{"max_lr": 0.1, "total_steps": 4}, {"max_lr": 0.1, "total_steps": 19, "three_phase": True}],
    "ReduceLROnPlateau": [{"patience": 0, "threshold": 0.5, "cooldown": 1}],
    "StepLR": [{"step_size": 2}],
    "ChainedScheduler": [
        {"schedulers": [LINEAR, WAVES]},
        {"schedulers": [DECAY, {"name": "SequentialLR", "schedulers": [LINEAR, DECAY], "milestones": [3]}]},
    ],
    "SequentialLR": [
        {"schedulers": [LINEAR, DECAY, WAVES], "milestones": [2, 4]},
    ],
}


@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [(name, each) for name in (*schedulers.NAMES, *schedulers.NESTING) for each in SCHEDULERS.get(name, [{}])],
)
def test_every_scheduler_resumes_to_the_same_bits(
    tmp_path: Path, name: str, arguments: dict[str, Any], interval: str
) -> None:
    scheduler = {"name": name, "interval": interval, **arguments}
    value = spec("price", optimizer=MOMENTUM, scheduler=scheduler, training={"epochs": 5, "batch_size": 56})
    # Two steps an epoch: killed after the first step of all, at the end of the first epoch, and amid the fourth.
    check(value, train(value), tmp_path, [(1, 1), (1, 1), (1, 5)])


def test_schedules_of_several_optimizers_resume_to_the_same_bits(tmp_path: Path) -> None:
    value = spec("price", optimizer={"name": "Muon"}, scheduler={"name": "ExponentialLR", "gamma": 0.8})
    check(value, train(value), tmp_path, [(1, 4), (1, 5)])


def test_a_training_killed_after_its_last_step_does_no_further_step(tmp_path: Path) -> None:
    for training in ({"epochs": 2}, {"max_samples": 200}):
        value = spec("price", training=training)
        run = InterruptedRun(tmp_path)
        whole = train(value, run.after_step)
        more = InterruptedRun(tmp_path)
        again = train(value, more.after_step, CheckpointFolder(tmp_path, sync).load().state)
        assert (more.steps, digest(again)) == (0, digest(whole))
        assert again.losses == whole.losses[-1:]
        for path in tmp_path.iterdir():
            path.unlink()


def test_the_time_budget_spans_all_attempts(tmp_path: Path) -> None:
    value = spec("price", training={"epochs": 10_000_000, "max_seconds": 0.2})
    train(value, InterruptedRun(tmp_path, every=1).after_step)  # for any number of steps
    run = InterruptedRun(tmp_path, every=sys.maxsize)
    began = time.monotonic()
    train(value, run.after_step, CheckpointFolder(tmp_path, sync).load().state)
    assert time.monotonic() - began < 60  # not for ten million epochs
    state = CheckpointFolder(tmp_path, sync).load().state
    assert state is not None
    assert state["budget"]["seconds"] < 0.2


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(spec("price"), InterruptedRun(tmp_path, end=3).after_step)
    for other in (
        spec("price", model={"kind": "mlp", "hidden": [17]}),
        spec("price", optimizer={"name": "Muon"}),
        spec("price", training={"ema": {"decay": 0.9}}),
        spec("price", scheduler={"name": "LinearLR"}),
        spec("price", split={"kind": "k_fold"}),
    ):
        with pytest.raises(CheckpointUnfit):
            train(other, saved=CheckpointFolder(tmp_path, sync).load().state)
    with pytest.raises(CheckpointUnfit):
        train(spec("price"), saved={"epoch": 1})


def test_a_training_killed_by_sigkill_ends_with_the_same_bits(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.workflow.train_and_save", str(tmp_path / "checkpoints")]
    child = subprocess.Popen([*command, str(tmp_path / "never")], stderr=subprocess.PIPE)  # noqa: S603
    until = time.monotonic() + 120
    while max([0, *_numbers(tmp_path / "checkpoints")]) < 3 and child.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    _, output = child.communicate()
    assert child.returncode == -signal.SIGKILL, output.decode()
    assert not (tmp_path / "never").exists()
    subprocess.run([*command, str(tmp_path / "resumed")], check=True, timeout=240)  # noqa: S603
    train_and_save.main(tmp_path / "other", tmp_path / "uninterrupted")
    assert (tmp_path / "resumed").read_bytes() == (tmp_path / "uninterrupted").read_bytes()
    assert int((tmp_path / "resumed.began").read_text()) > 0  # 1 if three saves take the first epoch
    assert (tmp_path / "uninterrupted.began").read_text() == "0"


def _numbers(folder: Path) -> list[int]:
    names = [NAME.fullmatch(path.name) for path in folder.glob("*")]
    return [int(name["number"]) for name in names if name]

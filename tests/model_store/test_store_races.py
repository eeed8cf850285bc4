# ruff: noqa: S603 - the processes started are our own
"""Concurrent operations are linearizable."""

import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_store import Store
from tests.examples import examples
from tests.model_store.history import (
    GONE,
    IN_USE,
    LOST,
    Call,
    Model,
    Operation,
    counts,
    formatted,
    is_linearizable,
    perform,
    random_calls,
)
from tests.model_store.interleaving import InterleavingBackend

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}


def run_concurrently(callers: list[list[Call]], seed: int) -> list[Operation]:
    """The operations of several callers on a model with versions 1 and 2 and the alias `production` on 1."""
    backend = InterleavingBackend()
    store = Store(backend)
    history = []

    def call(do: str, arguments: tuple[Any, ...]) -> Any:
        began = backend.step
        answer = perform(store, "line", do, arguments)
        history.append(Operation(do, arguments, answer, began, backend.step))
        return answer

    def work(calls: list[Call]) -> Callable[[], Any]:
        return lambda: [call(*each) for each in calls]

    first: list[Call] = [("publish", (None,)), ("publish", (None,)), ("set", ("production", 1, None))]
    for each in first:
        call(*each)
        backend.step += 1
    for answer in backend.run_interleaved([work(calls) for calls in callers], random.Random(seed)):  # noqa: S311 - no secret
        assert isinstance(answer, list), answer
    backend.step += 1
    last: list[Call] = [("latest", ()), ("alias", ("production",)), ("alias", ("staging",))]
    for each in last:
        call(*each)
    assert store.verify() == []
    return history


def test_the_checker_rejects_impossible_histories() -> None:
    done = [Operation("publish", (None,), 1, 0, 1)]
    assert is_linearizable([*done, Operation("delete", (1,), None, 2, 3), Operation("latest", (), GONE, 4, 5)])
    assert not is_linearizable([*done, Operation("delete", (1,), None, 2, 3), Operation("latest", (), 1, 4, 5)])
    assert is_linearizable([*done, Operation("delete", (1,), None, 2, 4), Operation("latest", (), 1, 3, 5)])
    assert not is_linearizable([*done, *[Operation("delete", (1,), None, 2, 3)] * 2])
    assert not is_linearizable([*done, Operation("delete", (1,), IN_USE, 2, 3)])
    assert Model().after("publish", (None,), 2) is None


def test_of_two_deletions_and_an_alias_one_succeeds() -> None:
    for seed in range(examples(300)):
        history = run_concurrently([[("delete", (2,))], [("delete", (2,))], [("set", ("production", 2, None))]], seed)
        assert is_linearizable(history), formatted(history)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_concurrent_processes_on_one_disk_are_linearizable(tmp_path: Path) -> None:
    """RACES=100000 and RACERS=8 in scripts/nightly."""
    races, racers = os.environ.get("RACES", "800"), os.environ.get("RACERS", "4")
    script = [sys.executable, str(HERE / "race_on_one_disk.py"), str(tmp_path), races, racers]
    done = subprocess.run(script, stdout=subprocess.PIPE, check=True, env=ENVIRONMENT)
    histories: dict[str, list[Operation]] = pickle.loads(done.stdout)  # noqa: S301 - our own
    for name, history in histories.items():
        assert is_linearizable(history), f"{name}\n{formatted(history)}"
    answers = counts([each for history in histories.values() for each in history])
    kinds = [("delete", "done"), ("delete", IN_USE), ("delete", GONE), ("set", "done"), ("set", LOST), ("set", GONE)]
    assert set(kinds) <= answers.keys(), answers
    assert Store.open(tmp_path).verify() == []


def test_random_interleavings_are_linearizable() -> None:
    for seed in range(examples(300)):
        rng = random.Random(seed)  # noqa: S311 - no secret
        history = run_concurrently([random_calls(rng, rng.randint(1, 3)) for _ in range(rng.randint(2, 4))], seed)
        assert is_linearizable(history), formatted(history)

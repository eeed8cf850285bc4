"""Run by test_store_races: processes that use the same models concurrently and report the answers."""

import multiprocessing
import pickle
import random
import sys
import time
from pathlib import Path
from typing import Any

from model_store import Store
from tests.model_store.history import Operation, perform, random_calls

EACH = 6  # operations of one process on a model before all processes move to the next one

root, count, racers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
context = multiprocessing.get_context("fork")
together = context.Barrier(racers)


def race(racer: int, reported: Any) -> None:
    store, rng = Store.open(root), random.Random(racer)  # noqa: S311 - no secret
    for place in range(count // racers // EACH):
        name, history = f"model{place}", []
        together.wait()
        for do, arguments in random_calls(rng, EACH):
            began = time.monotonic_ns()  # one clock for all processes
            answer = perform(store, name, do, arguments)
            history.append(Operation(do, arguments, answer, began, time.monotonic_ns()))
        reported.put((name, history))
    reported.put(None)


reported: Any = context.Queue()
processes = [context.Process(target=race, args=(racer, reported)) for racer in range(racers)]
for process in processes:
    process.start()
histories: dict[str, list[Operation]] = {}
ended = 0
while ended < racers:
    one = reported.get(timeout=300)
    if one is None:
        ended += 1
    else:
        histories.setdefault(one[0], []).extend(one[1])
for process in processes:
    process.join()
sys.stdout.buffer.write(pickle.dumps(histories))

"""`benchmarks/run sweeps`: what TPE finds in 60 trials beside what chance finds, on two stated functions over 20 seeds, without
training anything; and whether a sweep whose service is killed at a random moment comes to the same trials, best and weights.

`hartmann6` is the usual test function of six numbers in [0, 1] (lowest value -3.322). `network` is shaped as the validation loss
of a network is: five fields of the kinds that a sweep has, whose best learning rate depends on the width; lowest value 0.
Ten sweeps of 12 trainings of the tutorial's line are killed once each, at a moment drawn from the time that one takes.
"""

import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from service.workflow.search.space import Dimension, Values
from service.workflow.search.suggest import Ended, Method, suggest
from tests.harness.server import Server
from tests.story.searching import SWEEP, came_to

SEEDS, TRIALS, KILLS = 20, 60, 10
HARTMANN = (
    (1.0, (10, 3, 17, 3.5, 1.7, 8), (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886)),
    (1.2, (0.05, 10, 17, 0.1, 8, 14), (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991)),
    (3.0, (3, 3.5, 1.7, 10, 17, 8), (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650)),
    (3.2, (17, 8, 0.05, 10, 0.1, 14), (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381)),
)
WIDTHS = {16: 0.3, 64: 0.1, 256: 0.0, 1024: 0.15}


def hartmann6(values: Values) -> float:
    """Of x0 to x5."""
    x = list(values.values())
    return -sum(
        height * math.exp(-sum(a * (each - at) ** 2 for a, each, at in zip(slopes, x, place, strict=True)))
        for height, slopes, place in HARTMANN
    )


def network(values: Values) -> float:
    """Of a learning rate, a weight decay, a width, a dropout and a number of layers."""
    width = WIDTHS[values["width"]]
    rate, decay = math.log10(values["lr"]) + 2.5, math.log10(values["decay"]) + 4
    return (
        0.4 * (rate + 3 * width) ** 2
        + 0.05 * decay**2
        + width
        + 0.5 * (values["dropout"] - 0.2) ** 2
        + 0.02 * abs(values["layers"] - 3) * (1 + abs(rate))
    )


PROBLEMS: dict[str, tuple[Callable[[Values], float], dict[str, Dimension]]] = {
    "hartmann6": (hartmann6, {f"x{at}": Dimension(uniform=[0, 1]) for at in range(6)}),
    "network": (
        network,
        {
            "lr": Dimension(log=[1e-5, 1]),
            "decay": Dimension(log=[1e-7, 1e-1]),
            "width": Dimension(choice=list(WIDTHS)),
            "dropout": Dimension(uniform=[0, 0.6]),
            "layers": Dimension(int=[1, 6]),
        },
    ),
}


def best(problem: str, method: Method, seed: int, parallel: int) -> float:
    """The lowest value of 60 trials, in rounds of so many."""
    function, space = PROBLEMS[problem]
    ended: list[Ended] = []
    while len(ended) < TRIALS:
        for values in suggest(space, method, seed, ended, min(parallel, TRIALS - len(ended))):
            ended.append(Ended(len(ended) + 1, values, function(values)))
    return min(each.loss for each in ended if each.loss is not None)


def undisturbed(home: Path) -> tuple[dict[str, Any], float]:
    """What the sweep comes to, and the seconds that it takes."""
    with Server(home, slots=2) as server:
        began = time.monotonic()
        server.client.search(SWEEP, SWEEP["search"])
        return came_to(server), time.monotonic() - began


def killed(home: Path, after: float) -> dict[str, Any]:
    """What it comes to when the service is killed after so many seconds, and started again."""
    with Server(home, slots=2, checkpoint_seconds=0.05) as server:
        server.client.search(SWEEP, SWEEP["search"])
        time.sleep(after)
        server.kill()
        server.start()
        return came_to(server)


def main() -> None:
    """Writes the tables."""
    write = sys.stdout.write
    write(
        "| function | trials in a round | TPE better, of 20 seeds | mean of the best, TPE | random |\n|---|---|---|---|---|\n"
    )
    for problem in PROBLEMS:
        for parallel in (1, 2, 4, 16):
            pairs = [
                (best(problem, "tpe", seed, parallel), best(problem, "random", seed, parallel)) for seed in range(SEEDS)
            ]
            ours, chance = zip(*pairs, strict=True)
            wins = sum(one < other for one, other in pairs)
            write(f"| {problem} | {parallel} | {wins} | {mean(ours):.3f} | {mean(chance):.3f} |\n")
    with tempfile.TemporaryDirectory() as folder:
        whole, seconds = undisturbed(Path(folder) / "whole")
        moments = [random.Random(at).uniform(0, seconds) for at in range(KILLS)]  # noqa: S311 - no secret
        same = sum(killed(Path(folder) / str(at), moment) == whole for at, moment in enumerate(moments))
    write(f"\nOf {KILLS} sweeps killed once each, {same} came to the same trials, best and weights.\n")


if __name__ == "__main__":
    main()

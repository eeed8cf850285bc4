"""Kills child processes with SIGKILL at one storage step after the other, until one completes."""

import os
import signal
from collections.abc import Callable
from typing import Any

from tests.examples import TIMES

real = {name: getattr(os, name) for name in ("fsync", "link", "rename", "unlink", "mkdir")}


def die_at(step: int) -> None:
    """Kills this process before its storage step with that number, counted from 1."""
    left = step

    def counted(name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real[name](*arguments, **options)

        return call

    for name in real:
        setattr(os, name, counted(name))


def killed_at_each_step(work: Callable[[int], None]) -> int:
    """The number of children that were killed doing `work`, each some steps later, until one completed: one step with
    EXAMPLES_TIMES of 1 or more, as in scripts/nightly, else two."""
    step, killed = 1, 0
    while True:
        child = os.fork()
        if child == 0:
            work(step)
            os._exit(0)
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            return killed
        killed += 1
        step += 1 if TIMES >= 1 else 2

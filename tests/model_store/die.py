"""Kills child processes with SIGKILL at one storage step after the other, until one completes."""

import os
import signal
from collections.abc import Callable
from typing import Any

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
    """The number of children that were killed doing `work`, each one step later, until one completed."""
    step, killed = 0, 0
    while step == killed:
        step += 1
        child = os.fork()
        if child == 0:
            work(step)
            os._exit(0)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    return killed

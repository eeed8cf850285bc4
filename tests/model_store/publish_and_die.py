"""Run by test_store_crashes: publishes, deletes and dies by SIGKILL at one storage step after the other."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from model_store.backends.local import LocalBackend
from model_store.collection import Collection
from tests.model_store.source_files import source_files

root = Path(sys.argv[1])
real = {name: getattr(os, name) for name in ("fsync", "link", "rename", "unlink", "mkdir")}


def die_at(step: int) -> None:
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


def work(step: int) -> None:
    models = Collection(LocalBackend(root / "store"), "models")
    files = source_files(root, {"weights": b"w" * 5000, "plots/a": b"p"})
    die_at(step)
    version = models.publish("line", {"step": step}, files, key=f"job{step}")
    models.publish(f"other{step}", {}, {})
    models.delete("line", version.number)


step, killed = 0, 0
while step == killed:
    step += 1
    child = os.fork()
    if child == 0:
        work(step)
        os._exit(0)
    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
sys.stdout.write(f"{killed}\n")

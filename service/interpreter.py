"""How to start another Python process that imports the same packages, and nothing from the current folder; and how a process
imports large packages."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PASSED_ON = ("PATH", "LD_LIBRARY_PATH")  # torch may need the latter


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module. Without `-P`, `-m` would search the current folder first."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Environment variables for a process that needs no settings: nothing that could hold a secret."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {"PYTHONDONTWRITEBYTECODE": "1"} | import_path()


def import_path() -> dict[str, str]:
    """Environment variables with the import path of this process, without its empty entry (the current folder)."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@contextmanager
def quick_imports() -> Iterator[None]:
    """Pauses the garbage collector in the `with` block. What large packages create lives as long as the process, so collections
    find nothing, and take a sixth of the time of the imports. Later collections skip it, too."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()

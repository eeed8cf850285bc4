"""How to start another Python process that imports the same packages, and nothing from the current folder."""

import os
import sys


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module. Without `-P`, `-m` would search the current folder first."""
    return [sys.executable, "-P", "-m", module, *arguments]


def import_path() -> dict[str, str]:
    """Environment variables with the import path of this process, without its empty entry (the current folder)."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

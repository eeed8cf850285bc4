"""How this process starts Python again: so that the new process imports the same packages, and nothing from the folder that
the service happens to be started in."""

import os
import sys


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a module. `-P`, or `-m` would look in the current folder first."""
    return [sys.executable, "-P", "-m", module, *arguments]


def import_path() -> dict[str, str]:
    """What its environment must say: where this process looks, in this order. The empty entry is the current folder."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

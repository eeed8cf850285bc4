"""Run by test_store_upgrade: upgrades copies of a store, each killed one storage step later."""

import shutil
import sys
from pathlib import Path

from model_store import Store
from tests.model_store.die import die_at, killed_at_each_step

root, copies = Path(sys.argv[1]), Path(sys.argv[2])


def work(step: int) -> None:
    shutil.copytree(root, copies / str(step))
    store = Store.open(copies / str(step))
    die_at(step)
    store.upgrade()


sys.stdout.write(f"{killed_at_each_step(work)}\n")

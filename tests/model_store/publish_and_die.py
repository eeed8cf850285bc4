"""Run by test_store_crashes: publishes, deletes, and is killed at one storage step after the other."""

import sys
from pathlib import Path

from model_store import Store
from tests.model_store.die import die_at, killed_at_each_step
from tests.model_store.source_files import source_files

root = Path(sys.argv[1])


def work(step: int) -> None:
    store = Store.open(root / "store")
    files = source_files(root, {"weights": b"w" * 5000, "plots/a": b"p"})
    die_at(step)
    version = store.models.publish("line", {"step": step}, files, key=f"job{step}")
    store.models.publish(f"other{step}", {}, {})
    store.aliases.set("line", "newest", version.number)
    store.models.publish(f"other{step}", {}, {})
    store.aliases.delete("line", "newest")
    store.delete_version("line", version.number)


sys.stdout.write(f"{killed_at_each_step(work)}\n")

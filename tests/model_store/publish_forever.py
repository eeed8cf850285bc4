"""Run by test_store_crashes: publishes and deletes until it is killed, and prints each version number."""

import sys
from pathlib import Path

from model_store.backends.local import LocalBackend
from model_store.collection import Collection
from tests.model_store.source_files import source_files

root = Path(sys.argv[1])
models = Collection(LocalBackend(root / "store"), "models")
while True:
    files = source_files(root, {"weights": b"w" * 100_000, "plots/a": b"p"})
    version = models.publish("line", {"made": "here"}, files)
    sys.stdout.write(f"{version.number}\n")
    sys.stdout.flush()
    if version.number % 7 == 0:
        models.delete("line", version.number - 3)

# ruff: noqa: S603 - the processes started are our own
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from model_store import Collection, Store
from model_store.backends.local import LocalBackend

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}


def check_whole(root: Path) -> Collection:
    store = Store.open(root)
    assert store.verify() == []
    store.sweep(-60)  # all leftovers count as old
    assert list((root / "tmp").iterdir()) == []
    assert store.verify() == []
    for name in store.models.names():
        contents = list((root / f"models/{name}/contents").iterdir())
        assert len(contents) == len(store.models.numbers(name))
    return store.models


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_at_any_step_leaves_only_complete_versions(tmp_path: Path) -> None:
    script = [sys.executable, str(HERE / "publish_and_die.py"), str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=600, check=True, env=ENVIRONMENT)
    assert int(done.stdout) > 30
    models = check_whole(tmp_path / "store")
    assert 1 < len(models.numbers("line")) < int(done.stdout)
    for number in models.numbers("line"):
        version = models.get("line", number)
        step = version.manifest["step"]
        assert models.publish("line", {}, {}, key=f"job{step}") == version


def test_a_kill_at_a_random_moment_loses_no_acknowledged_version(tmp_path: Path) -> None:
    rng = random.Random(7)  # noqa: S311 - no secret
    printed: list[int] = []
    for _ in range(4):
        script = [sys.executable, str(HERE / "publish_forever.py"), str(tmp_path)]
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(3, 20)):
                printed.append(int(process.stdout.readline()))
            process.kill()
            printed.extend(int(line) for line in process.stdout if line.endswith("\n"))
    assert printed == sorted(set(printed))
    models = Collection(LocalBackend(tmp_path / "store"), "models")
    live = set(models.numbers("line"))
    assert {number for number in printed if number + 3 > max(printed) or (number + 3) % 7} <= live
    check_whole(tmp_path / "store")

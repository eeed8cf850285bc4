"""Exporting a version whose code misbehaves: a reason instead of a file, and never more than one process for it."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from model_store import Store, Version
from model_store.errors import VersionNotFound
from service.use_cases import export_model
from service.use_cases.artifacts import Artifacts
from service.use_cases.attempt_store import STATE_DICT
from service.use_cases.export_model import export
from service.use_cases.train import POINTS
from service.workflow.errors import ExportFailed, NotAvailable
from service.workflow.exports import EXPORTS
from service.workflow.models import KINDS
from service.workflow.save_and_load import save
from tests.harness.until import until
from tests.use_cases.odd_kinds import OddSpec
from tests.workflow.learning import spec, train


class Exporting:
    """A store with one version of an odd kind, and a cache of exports."""

    def __init__(self, path: Path, does: str) -> None:
        self.processes, self.kept = path / "processes", path / "cache"
        self.processes.mkdir()
        self.store = Store.open(path / "store")
        self.artifacts: Artifacts | None = None
        self._temporary = path / "tmp"
        self.version = self._publish(path, does)

    def _publish(self, path: Path, does: str) -> Version:
        model = {"kind": "odd", "does": does, "folder": str(self.processes)}
        trained = train(spec("price", model=model, training={"epochs": 1}, data={"features": ["size"]}))
        save(trained.learned.model, path / STATE_DICT)
        (path / POINTS).write_text(trained.learned.points.model_dump_json())
        manifest = {
            "format": 1,
            "spec": {name: value for name, value in trained.resolved.spec.to_json().items() if name != "model_name"},
            "signature": trained.learned.signature.model_dump(mode="json"),
        }
        return self.store.models.publish("m", manifest, {name: path / name for name in (STATE_DICT, POINTS)})

    def get(self, name: str = "state_dict") -> Coroutine[Any, Any, Path]:
        """The export."""
        if self.artifacts is None:
            self.artifacts = Artifacts(self.kept, self._temporary)  # of this event loop
        return export(self.artifacts, self.store, self.version, name)

    def started(self) -> int:
        """How many processes have built the model."""
        return len([path for path in self.processes.iterdir() if path.name.isdigit()])

    def left(self) -> list[Path]:
        """Files of exports, whole or not."""
        return [path for folder in (self.kept, self._temporary) if folder.exists() for path in folder.rglob("*")]


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "odd", OddSpec)


def test_a_model_that_cannot_be_traced_has_no_export_and_is_not_tried_again(tmp_path: Path) -> None:
    setup = Exporting(tmp_path, "branches")

    async def thrice() -> list[str]:
        both = await asyncio.gather(setup.get("torch_export"), setup.get("torch_export"), return_exceptions=True)
        with pytest.raises(ExportFailed) as again:
            await setup.get("torch_export")
        reasons = [*both, again.value]
        assert all(isinstance(each, ExportFailed) for each in reasons), reasons
        return [str(each) for each in reasons]

    reasons = asyncio.run(thrice())
    assert len(set(reasons)) == 1 and "data-dependent" in reasons[0] and str(tmp_path) not in reasons[0]
    assert (setup.started(), setup.left()) == (1, [])


BEHAVIOURS = {
    "grows": r"takes more than 1\.5 GiB of memory",
    "crashes": "SIGSEGV",
    "spins": "more than 4 seconds of processor time",
}
if os.environ.get("EXPORTS") == "all":
    BEHAVIOURS |= {"hangs": "takes more than 20 seconds", "exits": "ended the process", "vanishes": "ended the process"}


@pytest.mark.parametrize(("does", "reason"), BEHAVIOURS.items(), ids=BEHAVIOURS)
def test_a_model_that_ends_its_process_or_exceeds_a_limit_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, reason: str
) -> None:
    if does == "hangs":
        monkeypatch.setattr(export_model, "MOST_SECONDS", 20)
    if does == "spins":
        monkeypatch.setattr(export_model, "MOST_PROCESSOR_SECONDS", 4)
    setup = Exporting(tmp_path, does)
    with pytest.raises(ExportFailed, match=reason):
        asyncio.run(setup.get())
    assert setup.started() <= 1  # none if it has taken all the time to start
    assert setup.left() == []


def test_a_version_that_is_deleted_meanwhile_is_not_found_and_leaves_no_file(tmp_path: Path) -> None:
    setup = Exporting(tmp_path, "waits")

    async def delete_meanwhile() -> None:
        request = asyncio.ensure_future(setup.get())
        await asyncio.to_thread(until, setup.started)
        setup.store.delete_version("m", 1)
        (setup.processes / "go").touch()
        with pytest.raises(VersionNotFound):
            await request

    asyncio.run(delete_meanwhile())
    assert setup.left() == []


def test_an_export_without_its_package_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Exporting(tmp_path, "nothing")
    assert EXPORTS["onnx"].packages == ("onnx", "onnxscript")
    monkeypatch.setattr("sys.path", [])
    for package in EXPORTS["onnx"].packages:
        monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(NotAvailable, match="pip install onnx onnxscript"):
        asyncio.run(setup.get("onnx"))
    assert setup.started() == 0

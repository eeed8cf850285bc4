"""When a training saves, that it ends on request, and that interruptions do not change the published model."""

import errno
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch

from model_store import Store
from model_store.durable_files import sync
from service.jobs.attempt import Attempt
from service.jobs.errors import AttemptLeft, AttemptPutOff
from service.jobs.executors.local import trainer_server
from service.jobs.executors.local.json_channel import JsonChannel
from service.use_cases.attempt_store import HISTORY, AttemptStore
from service.use_cases.checkpoints import BETWEEN_LOOKS, AttemptCheckpoints
from service.use_cases.train import train
from service.workflow.checkpoint_folder import CheckpointFolder
from service.workflow.spec import parse
from service.workflow.state import State
from tests.jobs.jobs import running_job
from tests.model_store.content import content
from tests.workflow.learning import resolved_from, spec

MLP = {"kind": "mlp", "hidden": [16], "dropout": 0.2}


class Runner:
    """The runner's end of an attempt's socket: collects the messages, and does what the attempt requests of the store."""

    def __init__(self, stream: socket.socket, home: Path, described: dict[str, Any]) -> None:
        self.lines = JsonChannel(stream)
        self._store = AttemptStore(Store.open(home / "store"))
        self._job = running_job(described["id"], described["spec"], described["context"])
        self._folder = Path(described["folder"])
        self._files = ExitStack()
        self.messages_received: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        while (messages := self.lines.receive()) is not None:
            self.messages_received += messages
            for each in messages:
                if "fetch" in each or "publish" in each:
                    self.lines.send(self._answer(each))
        self._files.close()
        self.lines.close()

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        if "fetch" in message:
            return {"answer": self._store.fetch(self._job, self._files)}
        files = {name: self._folder / name for name in message["publish"]["files"]}
        try:
            return {"answer": self._store.publish(self._job, message["publish"]["manifest"], files)}
        except AttemptPutOff as error:
            return {"put_off": {"code": error.code, "detail": error.detail}, "unpublished": error.unpublished}

    def all(self, name: str) -> list[Any]:
        """The messages of this name, after the attempt has closed its end."""
        self._thread.join()
        return [each[name] for each in self.messages_received if name in each]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def state() -> State:
    return {"epoch": 1}


def saves_reported(runner: JsonChannel) -> list[Any]:
    """The numbers of the saves that were reported to the runner."""
    return [each["saved"] for each in (runner.receive_now() or []) if "saved" in each]


def test_saves_follow_the_clock_and_are_rarer_when_a_save_is_slow(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, runner, took = Clock(), JsonChannel(ends[0]), 0.1
    attempt = Attempt(JsonChannel(ends[1]), {"checkpoints": str(tmp_path / "c"), "checkpoint_seconds": 10.0})
    checkpoints = AttemptCheckpoints(attempt, clock=clock)
    save = CheckpointFolder.save

    def slow(folder: CheckpointFolder, tree: State) -> None:
        save(folder, tree)
        clock.now += took

    monkeypatch.setattr(CheckpointFolder, "save", slow)
    for seconds, saves in ((9.9, 0), (0.2, 1), (9.8, 0), (0.3, 1)):
        clock.now += seconds
        checkpoints.after_step(state)
        assert len(saves_reported(runner)) == saves
    took = 2.0
    clock.now += 10.1
    checkpoints.after_step(state)
    assert saves_reported(runner) == [0]
    for seconds, saves in ((37.9, 0), (0.2, 1)):  # 19 × 2 s
        clock.now += seconds
        checkpoints.after_step(state)
        assert len(saves_reported(runner)) == saves


def test_a_step_between_two_checks_only_reads_the_clock(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    clock = Clock()
    attempt = Attempt(JsonChannel(ends[1]), {"checkpoints": str(tmp_path), "checkpoint_seconds": 0.0})
    checkpoints = AttemptCheckpoints(attempt, clock=clock)
    ends[0].sendall(b'{"leave": true}\n')
    clock.now += BETWEEN_LOOKS * 0.9
    checkpoints.after_step(lambda: pytest.fail("nothing is to be saved yet"))
    clock.now += BETWEEN_LOOKS * 0.2
    with pytest.raises(AttemptLeft):
        checkpoints.after_step(state)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_training_without_its_service_saves_and_ends(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    clock = Clock()
    attempt = Attempt(JsonChannel(ends[1]), {"checkpoints": str(tmp_path), "checkpoint_seconds": 1000.0})
    checkpoints = AttemptCheckpoints(attempt, clock=clock)
    assert not attempt.asked_to_leave()
    ends[0].close()
    clock.now += 1
    with pytest.raises(BrokenPipeError):
        checkpoints.after_step(state)
    assert len(list(tmp_path.iterdir())) == 1


def job(home: Path, number: int, **more: Any) -> dict[str, Any]:
    """A job as an attempt receives it."""
    value = spec("price", model=MLP, training={"epochs": 3000, "batch_size": 28})
    parsed = parse(value)
    resolved = resolved_from(parsed)
    Store.open(home / "store")
    folder = home / f"attempt{number}"
    folder.mkdir(exist_ok=True)
    signature = resolved.signature.model_dump(mode="json")
    return {
        "kinds": [],
        "spec": resolved.spec.to_json(),
        "context": {"signature": signature, "since": 0, "rows": resolved.rows},
        "id": str(home.name),
        "threads": 1,
        "folder": str(folder),
        "checkpoints": str(home / "checkpoints"),
        "checkpoint_seconds": 0.0,
    } | more


@pytest.fixture(autouse=True)
def own_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt in this process sets the default folder for temporary files: only until the test ends."""
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    monkeypatch.setattr(tempfile, "tempdir", None)


def attempt_at(described: dict[str, Any], path: Path, leave: bool = False) -> tuple[int, Runner]:
    """Run an attempt in this process: its exit status, and the runner's end with its messages."""
    ours, theirs = socket.socketpair()
    path.write_bytes(orjson.dumps(described))
    runner = Runner(ours, Path(described["folder"]).parent, described)
    runner.lines.send({"job": str(path)})
    if leave:
        runner.lines.send({"leave": True})
    status = trainer_server.run(train, theirs)
    theirs.close()
    return status, runner


def test_a_resumed_training_publishes_the_same_as_an_uninterrupted_one(tmp_path: Path) -> None:
    for name in ("whole", "parted"):
        (tmp_path / name).mkdir()
    parted, whole = job(tmp_path / "parted", 1), job(tmp_path / "whole", 1, checkpoints=None)
    for each in (parted, whole):
        each["spec"]["training"]["epochs"] = 400
    status, first = attempt_at(parted, tmp_path / "job.json", leave=True)
    assert (status, first.all("left"), first.all("result")) == (0, [True], [])
    (reached,) = first.all("saved")[-1:]
    assert 0 <= reached < 400
    # the service died before it stored the reports of the last epochs
    reported = max(reached - 2, 0)
    status, second = attempt_at(parted | {"reported": reported}, tmp_path / "job.json")
    assert second.all("message") == [f"continues after epoch {reached}"]
    assert second.all("series")[0]["epoch"][0] == reported + 1
    assert second.all("saved")
    assert all(0 < each["fraction"] <= 1 and each["samples_per_second"] >= 0 for each in second.all("progress"))
    assert [each["version"] for each in second.all("result")] == [1]
    attempt_at(whole, tmp_path / "job.json")
    ours, theirs = (Store.open(tmp_path / name / "store").models for name in ("parted", "whole"))
    for file in ("state_dict.safetensors", HISTORY, "points.json"):
        assert content(ours, ours.get("m", 1), file) == content(theirs, theirs.get("m", 1), file)
    seen = [epoch for each in first.all("series") + second.all("series") for epoch in each["epoch"]]
    assert set(seen) == set(range(1, 401))


def test_a_resumed_training_uses_the_threads_of_its_first_attempt(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    described = {"checkpoints": str(tmp_path), "checkpoint_seconds": 0.0, "threads": 1}
    clock = Clock()
    try:
        torch.set_num_threads(2)
        checkpoints = AttemptCheckpoints(Attempt(JsonChannel(ends[1]), described), clock=clock)
        clock.now += 1
        checkpoints.after_step(state)
        torch.set_num_threads(1)
        resumed = AttemptCheckpoints(Attempt(JsonChannel(ends[1]), described), clock=clock)
        assert resumed.resume() == state()
        assert torch.get_num_threads() == 2
        resumed.forget()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("what", ["format", "torch", "training"])
def test_an_incompatible_checkpoint_is_reported_and_ignored(tmp_path: Path, what: str) -> None:
    described = job(tmp_path, 1)
    described["spec"]["training"]["epochs"] = 3
    saved = {"format": 1, "torch": str(torch.__version__), "threads": 1, "seconds": 1.0, "training": {"epoch": 2}}
    history = {"epochs": 2, "stride": 1, "kept": {"epoch": torch.tensor([1.0, 2.0])}, "last": {}}
    CheckpointFolder(tmp_path / "checkpoints", sync).save({**saved, "history": history, what: {}})
    status, runner = attempt_at(described, tmp_path / "job.json")
    assert status == 0
    assert "starts anew" in runner.all("message")[-1]
    assert runner.all("series")[0]["epoch"][0] == 1
    assert runner.all("result")
    models = Store.open(tmp_path / "store").models
    assert orjson.loads(content(models, models.get("m", 1), HISTORY))["epoch"] == [1, 2, 3]


def test_damaged_checkpoints_are_reported(ends: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    CheckpointFolder(tmp_path, sync).save(state())
    next(tmp_path.iterdir()).write_bytes(b"")
    attempt = Attempt(JsonChannel(ends[1]), {"checkpoints": str(tmp_path), "checkpoint_seconds": 1.0})
    assert AttemptCheckpoints(attempt).resume() is None
    assert JsonChannel(ends[0]).receive_one() == {"message": "damaged checkpoints passed over: 1"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES])
def test_a_failed_save_does_not_fail_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def broken(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("service.workflow.checkpoint_folder.write", broken)
        described = job(tmp_path, 1)
        described["spec"]["training"]["epochs"] = 1000  # more than fit between two looks at the clock
        status, runner = attempt_at(described, tmp_path / "job.json")
    assert status == 0
    assert [each["version"] for each in runner.all("result")] == [1]
    assert runner.all("message") == [f"a checkpoint could not be saved: {os.strerror(number)}"]  # reported once
    assert not runner.all("saved")


def test_a_training_that_was_fenced_before_saves_early_once(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    clock, runner = Clock(), JsonChannel(ends[0])
    described = {"checkpoints": str(tmp_path / "c"), "checkpoint_seconds": 10.0, "saves_soon": True}
    checkpoints = AttemptCheckpoints(Attempt(JsonChannel(ends[1]), described), clock=clock)
    began, saved_at = clock.now, []
    while clock.now < began + 40:
        clock.now += 0.125
        checkpoints.after_step(state)
        saved_at += [int(clock.now - began)] * len(saves_reported(runner))
    assert saved_at == [0, 1, 3, 7, 15, 25, 35]


class Disk:
    """Makes `fsync` fail while `broken`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.broken = False
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if self.broken:
                raise OSError(number, os.strerror(number))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EIO, "unavailable"), (errno.EACCES, "unavailable"), (errno.ENOSPC, "no_space")]
)
def test_a_temporary_failure_to_write_the_store_postpones_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    disk = Disk(monkeypatch, number)
    described = job(tmp_path, 1)
    described["spec"]["training"]["epochs"] = 30
    publish = AttemptStore.publish

    def publish_without_disk(*arguments: Any) -> Any:
        disk.broken = True
        return publish(*arguments)

    monkeypatch.setattr(AttemptStore, "publish", publish_without_disk)
    status, runner = attempt_at(described, tmp_path / "job.json")
    assert status == 0
    (reason,) = runner.all("put_off")
    assert reason["code"] == code
    assert "the version cannot be written" in reason["detail"]
    assert runner.all("unpublished") == [True]
    assert not runner.all("error")
    disk.broken = False
    monkeypatch.setattr(AttemptStore, "publish", publish)
    _, again = attempt_at(described, tmp_path / "job.json")
    assert [each["version"] for each in again.all("result")] == [1]


def test_a_temporary_failure_to_read_the_data_postpones_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("service.use_cases.train._load", broken)
        status, runner = attempt_at(job(tmp_path, 1), tmp_path / "job.json")
    assert status == 0
    (reason,) = runner.all("put_off")
    assert reason == {"code": "unavailable", "detail": f"its data cannot be read: {os.strerror(errno.EIO)}"}

"""A full disk: what needs space is refused or fails with that reason, everything else works, and the service recovers once there
is space again.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright import ApiError
from tests.harness.line import line
from tests.harness.server import Server, verify
from tests.harness.until import until
from tests.workflow.learning import spec

SIZE = 192 * 2**20  # two checkpoints of the wide network and one that is being written
JOURNAL_NEEDS = 8 * 2**20  # left free so that a job fails for lack of space and the journal can record it
WIDE = {"kind": "mlp", "hidden": [1800, 1500]}  # eleven megabytes: more than is left free


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder with a small file system."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode != 0:
        pytest.skip(f"mounting a small file system is not permitted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - our own


class Ballast:
    """Takes up the space of a file system."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def leave(self, free: int) -> None:
        """Leaves about that many bytes free; the service keeps writing meanwhile."""
        with self._path.open("ab") as file:
            while (missing := self._available() - free) > 0:
                with contextlib.suppress(OSError):  # another writer was faster
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, missing)

    def _available(self) -> int:
        status = os.statvfs(self._path.parent)
        return status.f_bavail * status.f_frsize

    def drop(self) -> None:
        """Frees all of it."""
        self._path.unlink()


def test_a_training_without_disk_space_fails_with_that_reason(small: Path) -> None:
    ballast = Ballast(small)
    with Server(small / "home", slots=1, checkpoint_seconds=0.2, publish_patience_seconds=2) as server:
        server.client.wait(server.client.train(line(20))["id"])
        job = server.client.train(wide(epochs=20))
        until(lambda: list((small / "home" / "checkpoints").glob("*/*.safetensors")))
        ballast.leave(
            JOURNAL_NEEDS
        )  # too little for its version and for its next checkpoint, without which it continues
        assert failure(server, job["id"]) == "no_space"
        assert list((small / "home" / "checkpoints").glob("*"))  # kept, as the job can be resumed
        assert failure(server, server.client.train(wide(epochs=1))["id"]) == "no_space"
        assert server.client.predict("line", inputs={"x": [0.5]})["model_version"] == 1
        ballast.drop()
        assert server.client.resume(job["id"])["status"] == "queued"
        assert server.client.wait(job["id"])["result"]["version"] == 1
        assert server.stop() == 0
    verify(small / "home")
    assert not (small / "home" / "checkpoints" / job["id"]).exists()


def test_the_service_recovers_from_a_full_disk_without_a_restart(small: Path) -> None:
    ballast = Ballast(small)
    with Server(small / "home", slots=1) as server:
        server.client.wait(server.client.train(line(20))["id"])
        before = server.client.predict("line", inputs={"x": [0.1, 0.9]})
        pid, running = server.process.pid, server.client.train(line(200_000, name="running"))["id"]
        until(lambda: server.client.job(running)["progress"])
        ballast.leave(0)
        accepted, refused = submit_until_full(server)
        assert (refused.status, refused.code) == (507, "no_space")
        with pytest.raises(ApiError) as upload:
            server.client.upload_dataset("table", b"a,b\n" + b"1,2\n" * 50_000, "text/csv")
        with pytest.raises(ApiError) as promotion:
            server.client.set_alias("line", "production", 1)
        assert [(error.value.status, error.value.code) for error in (upload, promotion)] == [(507, "no_space")] * 2
        assert server.client.predict("line", inputs={"x": [0.1, 0.9]}) == before
        assert server.client.ready()
        assert server.client.job(running)["status"] in ("running", "failed")
        ballast.drop()
        with contextlib.suppress(ApiError):  # it may have failed, as the disk was full
            server.client.cancel(running)
        again = server.client.train(line(20))["id"]
        assert [server.client.wait(job_id)["status"] for job_id in (*accepted, again)]
        ended = server.client.job(running, wait=60)
        assert ended["status"] == "cancelled" or ended["error"]["code"] == "no_space"
        server.client.set_alias("line", "production", 1)
        assert server.process.pid == pid
        assert server.stop() == 0
    verify(small / "home")


def wide(epochs: int) -> dict[str, Any]:
    return spec("price", model=WIDE, training={"epochs": epochs}) | {"model_name": "wide"}


def failure(server: Server, job_id: str) -> str:
    job = until(lambda: ended if (ended := server.client.job(job_id, wait=10))["status"] == "failed" else None, 300)
    return str(job["error"]["code"])


def submit_until_full(server: Server) -> tuple[list[str], ApiError]:
    """The accepted jobs, and the error of the first refused one. The journal's log may have space for some."""
    accepted: list[str] = []
    for _ in range(400):
        try:
            accepted.append(server.client.train(line(1))["id"])
        except ApiError as error:
            return accepted, error
    raise AssertionError("a full disk takes jobs without end")

"""Hostile trainings, one after another on a real service, beside a well-behaved training and a stream of predictions. No process
may outlive its attempt, a cancel takes effect at once, and neither the other training nor the predictions are affected.

`scripts/hostile-trainings` runs it. Time limits are scaled by the load of the machine: by how many times longer a short piece of
work takes than on the idle machine.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from modelwright import ApiError
from tests.harness.line import line
from tests.harness.server import Server, children, verify
from tests.harness.until import until
from tests.story.hostile.kind import ACTS

CANCEL = 2.0  # seconds to cancel a running process
CANCEL_STILL = 8.0  # seconds to cancel when a stopped process has to be replaced
WATCHED = 2.0  # seconds that an act runs before it is cancelled
DISK = 256 * 2**20  # bytes of the home's file system
MEMORY = 1200 * 2**20  # memory limit of a training in bytes
PARENT = {"kills_its_parent", "stops_its_parent"}
# Acts that end without a cancel: the job's status and the code of its error. All others are cancelled.
ENDS: dict[str, tuple[str, str | None]] = {
    "takes_memory": ("failed", "out_of_memory"),
    "takes_memory_below": ("failed", "out_of_memory"),
    "segfaults": ("failed", "crashed"),
    "exits": ("failed", "crashed"),
    "exits_with_7": ("failed", "crashed"),
    "asks_to_exit": ("failed", "crashed"),
    "raises": ("failed", "crashed"),
    "raises_what_is_no_exception": ("failed", "crashed"),
    "interrupts": ("failed", "crashed"),
    "signals_itself": ("failed", "crashed"),
    "kills_its_session": ("failed", "crashed"),
    "kills_its_parent": ("failed", "crashed"),
    "forks_once": ("succeeded", None),
    "leaves_a_child": ("succeeded", None),
    "leaves_programs": ("succeeded", None),
}
ON_A_SMALL_DISK = {"fills_the_disk", "fills_the_disk_and_waits"}


@dataclass
class Load(threading.Thread):
    """Sends predictions one after another, and measures how many times longer a piece of work takes than on the idle
    machine."""

    url: str
    over: bool = False
    answered: int = 0
    refused: list[str] = field(default_factory=list)
    wall: float = 0.0
    worked: float = 0.0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Runs until stopped."""
        path, body = "/v1/models/line/versions/1/predictions", {"inputs": {"x": [0.1, 0.9]}}
        with httpx.Client(base_url=self.url, transport=httpx.HTTPTransport(), timeout=60) as http:
            while not self.over:
                try:
                    answer = http.post(path, json=body)
                    self.answered += 1
                    if answer.status_code != 200:
                        self.refused.append(f"{answer.status_code} {answer.text[:200]}")
                except httpx.TransportError as error:
                    self.refused.append(repr(error))
                began, used = time.monotonic(), time.thread_time()
                while time.thread_time() < used + 0.002:
                    pass
                self.wall += time.monotonic() - began
                self.worked += time.thread_time() - used
                time.sleep(0.02)


class Campaign:
    """A campaign on one service.

    Args:
        server: the service, with the plug-in kind `hostile`.
        load: the predictions sent meanwhile.
        folder: for the files that acts create when they begin.
    """

    def __init__(self, server: Server, load: Load, folder: Path) -> None:
        self.server = server
        self.load = load
        self.folder = folder
        self.findings: list[str] = []

    def expect(self, holds: bool, otherwise: str) -> None:
        """Records a finding unless it holds."""
        if not holds:
            self.findings.append(otherwise)
            print(f"  FOUND: {otherwise}", flush=True)  # noqa: T201

    def act(self, do: str) -> None:
        """Runs one hostile training beside a well-behaved one."""
        client, begun = self.server.client, self.folder / do
        beside = client.train(line(10_000_000, name="beside"))["id"]
        until(lambda: client.job(beside)["progress"])
        model = {"kind": "hostile", "do": do, "begun": str(begun)}
        name = "stopped" if do == "stops_its_parent" else "hostile"
        hostile = client.train(line(5, name=name, model=model))["id"]
        until(begun.exists)
        outcome = "" if do not in PARENT else self.run_alone(beside, hostile)
        if do in ENDS:
            job = until(lambda: self.ended(hostile), 300)
            code = (job["error"] or {}).get("code")
            self.expect((job["status"], code) == ENDS[do], f"{do}: ended {job['status']} {code}, not {ENDS[do]}")
            outcome += f"{job['status']} {code or ''}"
        elif do == "fills_the_disk":
            until(lambda: client.job(hostile)["error"] or client.job(hostile)["attempt"] > 1, 60)
            outcome = f"{self.cancel(do, hostile, CANCEL)} after {client.attempts(hostile)[0]['cause']}"
        elif do not in PARENT:
            time.sleep(WATCHED)
            outcome = self.cancel(do, hostile, CANCEL)
        if do not in PARENT:
            job = client.job(beside)
            unharmed = job["status"] == "running" and job["attempt"] == 1
            self.expect(unharmed, f"{do}: beside it: {job['status']}, attempt {job['attempt']}: {job['error']}")
            outcome += f"; beside it: {self.cancel(f'beside {do}', beside, CANCEL)}"
        self.expect_no_process(do)
        print(f"{do}: {outcome}; {self.load.answered} predictions", flush=True)  # noqa: T201

    def run_alone(self, beside: str, hostile: str) -> str:
        """For acts that stop or kill the trainer server twice: then both jobs run alone, and only the hostile one may
        fail."""
        client = self.server.client
        if client.job(hostile)["model_name"] == "stopped":
            time.sleep(WATCHED)
            outcome = self.cancel("a training that has stopped its parent", hostile, CANCEL_STILL)
        else:
            until(lambda: len([each for each in client.attempts(hostile) if each["cause"]]) == 2)
            outcome = "twice"
        job = client.job(beside)
        self.expect(job["status"] in ("queued", "running"), f"beside it: {job['status']}: {job['error']}")
        return f"{outcome}; beside it: {self.cancel('beside it', beside, CANCEL_STILL)}; "

    def cancel(self, what: str, job_id: str, most: float) -> str:
        """Cancels the job, and records how long that took."""
        load = self.load
        began, wall, worked = time.monotonic(), load.wall, load.worked
        until(lambda: self.request_cancel(job_id))
        status = until(lambda: self.ended(job_id))["status"]
        took = time.monotonic() - began
        slower = max(1.0, (load.wall - wall) / max(load.worked - worked, 1e-3)) if load.worked > worked else 1.0
        self.expect(
            took <= most * slower, f"{what}: cancelled after {took:.1f} s (the machine was {slower:.1f} times slower)"
        )
        return f"{status} after {took:.2f} s (x{slower:.1f})"

    def request_cancel(self, job_id: str) -> bool:
        """Whether the cancel was accepted; with a full disk it may be refused for a moment."""
        try:
            self.server.client.cancel(job_id)
        except ApiError as error:
            return error.code == "illegal_transition"  # the job has just ended
        return True

    def ended(self, job_id: str) -> dict[str, Any] | None:
        """The job, once it has ended."""
        job: dict[str, Any] = self.server.client.job(job_id)
        return job if job["status"] in ("succeeded", "failed", "cancelled") else None

    def expect_no_process(self, what: str) -> None:
        """No process of an attempt is left."""
        with contextlib.suppress(AssertionError):
            until(lambda: not self.remaining(), 5)
        self.expect(not self.remaining(), f"{what}: left behind: {self.remaining()}")

    def remaining(self) -> list[str]:
        """The processes of attempts, recognized by the trainer server's folder for temporary files."""
        mark, found = f"TMPDIR={self.server.home / 'tmp'}".encode(), []
        trainers = self.server.children()
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (each / "environ").read_bytes() and int(each.name) not in trainers:
                    found.append(f"{each.name} {(each / 'cmdline').read_bytes()[:100]!r}")
        return found

    def stopped_helper(self, what: str, module: str, send: Any) -> None:
        """A stopped child process of the service: the request is answered, and the process is gone."""
        answers: list[httpx.Response] = []
        load, thread = self.load, threading.Thread(target=lambda: answers.append(send()))
        thread.start()
        pid = until(
            lambda: next((each for each in _children_all(self.server.process.pid) if module in _command(each)), 0)
        )
        began, wall, worked = time.monotonic(), load.wall, load.worked
        os.kill(pid, signal.SIGSTOP)
        thread.join(60)
        took = time.monotonic() - began
        slower = max(1.0, (load.wall - wall) / max(load.worked - worked, 1e-3))
        status = answers[0].status_code if answers else None
        self.expect(status == 503, f"a {what} that stands still: answered {status}")
        self.expect(took <= CANCEL_STILL * slower, f"a {what} that stands still: {took:.1f} s")
        self.expect(not Path(f"/proc/{pid}").exists(), f"a {what} that stands still is left")
        print(f"a {what} stands still: {status} after {took:.2f} s (x{slower:.1f})", flush=True)  # noqa: T201


def _children_all(pid: int) -> list[int]:
    return [*children(pid), *(each for child in children(pid) for each in children(child))]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


@contextlib.contextmanager
def plug_in(folder: Path) -> Iterator[None]:
    """Installs the kind for services that are started meanwhile."""
    about = folder / "hostile-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[modelwright.models]\nhostile = tests.story.hostile.kind:HostileSpec\n")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *([before] if before else []), str(Path.cwd())])
    try:
        yield
    finally:
        os.environ["PYTHONPATH"] = before or ""


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A small file system there, where mounting is permitted; yields whether it is mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607


def run(folder: Path, acts: list[str]) -> list[str]:
    """Runs all acts; returns the findings."""
    with plug_in(folder / "site"), small_disk(folder / "home") as small:
        settings: dict[str, Any] = {"slots": 2, "max_memory_bytes": MEMORY, "checkpoint_seconds": 1}
        with Server(folder / "home", **settings) as server:
            server.client.wait(server.client.train(line(20))["id"])
            load = Load(server.url)
            load.start()
            campaign = Campaign(server, load, folder)
            for do in acts:
                if do in ON_A_SMALL_DISK and not small:
                    print(f"{do}: left out, for mounting a small file system is not permitted here")  # noqa: T201
                    continue
                campaign.act(do)
            url = server.url
            table = b"a,b\n" + b"1.5,words\n" * 200_000
            kind = {"Content-Type": "text/csv"}
            upload = partial(httpx.put, f"{url}/v1/datasets/t", content=table, headers=kind, timeout=60)
            campaign.stopped_helper("survey", "service.workflow.data.survey", upload)
            plot = f"{url}/v1/models/line/versions/1/plots/data.png"
            campaign.stopped_helper("drawing", "service.workflow.look.render", partial(httpx.get, plot, timeout=60))
            campaign.expect(httpx.get(plot, timeout=60).status_code == 200, "a plot is not drawn anew")
            load.over = True
            load.join()
            campaign.expect(not load.refused, f"{len(load.refused)} predictions failed: {load.refused[:3]}")
            status = server.stop()
            campaign.expect(status == 0, f"the service ended with {status}")
            campaign.expect_no_process("the end")
            verify(server.home)
    return campaign.findings


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("acts", nargs="*", default=list(ACTS), help="those to be done; all if none is named")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        findings = run(Path(folder), asked.acts)
        for each in findings:
            print(f"FOUND: {each}", file=sys.stderr)  # noqa: T201
        if findings:
            print((Path(folder) / "home.log").read_text()[-20_000:], file=sys.stderr)  # noqa: T201
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

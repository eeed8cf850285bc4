"""A service on a slow machine: 150 ms added to each fsync, and 20 processes that use the processor. Every job ends, a single
service loses no lease, and a stop ends in time with a response to every request. `scripts/slow-machine` runs it.
"""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from service.http_server.connection import SETTLE_SECONDS
from service.http_server.server import CUT_OFF_SECONDS, MOST_SECONDS_TO_STOP, SHUTDOWN_SECONDS
from tests.harness.line import line
from tests.harness.server import Server, verify
from tests.harness.until import until

BURNING = 20
TO_FINISH = 400.0  # seconds in which all jobs must end
SLOW = 5.0  # additional seconds for a stop while the processor is shared
# The shim slows the service and SQLite; trainers have another environment, and import this from their path.
SLOW_TRAINERS = """
import os, time
if "LD_PRELOAD" not in os.environ:
    def slow(sync):
        def synced(descriptor):
            time.sleep(0.15)
            sync(descriptor)
        return synced
    os.fsync, os.fdatasync = slow(os.fsync), slow(os.fdatasync)
"""


@contextlib.contextmanager
def slow_disk(folder: Path) -> Iterator[None]:
    """Services that are started meanwhile have a slow fsync."""
    compiler, shim = shutil.which("cc"), folder / "slow_sync.so"
    if compiler is None:
        raise SystemExit("a C compiler, cc, is needed for the shim")
    source = Path(__file__).with_name("slow_sync.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"], check=True)  # noqa: S603
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SLOW_TRAINERS)
    before = {name: os.environ.get(name) for name in ("LD_PRELOAD", "PYTHONPATH")}
    os.environ["LD_PRELOAD"] = str(shim)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder / "site"), before["PYTHONPATH"] or "", str(Path.cwd())])
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def burning() -> Iterator[None]:
    """Many processes that only use the processor."""
    command = [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(command) for _ in range(BURNING)]  # noqa: S603
    try:
        yield
    finally:
        for each in started:
            each.kill()
            each.wait()


def run(folder: Path) -> list[str]:
    """Runs jobs to their end, then stops the service; returns the findings."""
    findings: list[str] = []
    with Server(folder / "home", slots=2, checkpoint_seconds=0.5) as server:
        client, began = server.client, time.monotonic()
        jobs = [
            client.train(line(epochs, name=f"m{epochs}"))["id"] for epochs in (20, 200, 2000, 20_000) for _ in range(3)
        ]
        ended: dict[str, Any] = {}

        def all_ended() -> bool:
            for job_id in jobs:
                if job_id not in ended and (job := client.job(job_id))["status"] in (
                    "succeeded",
                    "failed",
                    "cancelled",
                ):
                    ended[job_id] = job
            time.sleep(0.2)
            return len(ended) == len(jobs)

        with contextlib.suppress(AssertionError):
            until(all_ended, TO_FINISH)
        print_line(f"{len(ended)} of {len(jobs)} jobs ended in {time.monotonic() - began:.0f} s")
        for job_id in jobs:
            job = ended.get(job_id) or client.job(job_id)
            causes = [attempt["cause"]["code"] for attempt in client.attempts(job_id) if attempt["cause"]]
            if job["status"] != "succeeded" or "lease_lost" in causes:
                findings.append(f"a job is {job['status']} after {causes}")
        findings += stop(server)
        if "lease_lost" in server.log():
            findings.append("the log tells of a lost lease")
    verify(folder / "home")
    return findings


def stop(server: Server) -> list[str]:
    """Sends SIGTERM during an upload too slow to finish in time: it gets a response, and the process ends."""
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 0)) as upload:
        head = f"PUT /v1/datasets/slow HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: text/csv\r\nContent-Length: 10000000\r\n\r\n"
        upload.sendall(head.encode() + b"a,b\n" * 1000)
        time.sleep(1)
        began, answer = time.monotonic(), b""
        server.process.terminate()
        upload.settimeout(0.25)
        while time.monotonic() < began + 90:
            try:
                if not (piece := upload.recv(65536)):
                    break
                answer += piece
            except TimeoutError:
                with contextlib.suppress(OSError):
                    upload.sendall(b"1,2\n" * 500)
            except OSError:
                break
        answered = time.monotonic() - began
    status = server.wait()
    took = time.monotonic() - began
    print_line(
        f"stopped after {took:.1f} s with {status}; the upload was answered after {answered:.1f} s: {answer[:60]!r}"
    )
    found = []
    if not (
        answer.startswith(b"HTTP/1.1 503 ") and b"connection: close" in answer.lower() and b'"unavailable"' in answer
    ):
        found.append(f"the request that was cut off was answered {answer[:200]!r}")
    if status != 0 or took > SETTLE_SECONDS + MOST_SECONDS_TO_STOP + SHUTDOWN_SECONDS + SLOW:
        found.append(f"the process ended with {status} after {took:.1f} s")
    if answered < MOST_SECONDS_TO_STOP - CUT_OFF_SECONDS - 1:
        found.append(f"the request was cut off after {answered:.1f} s, too early")
    return found


def print_line(text: str) -> None:
    """Prints progress."""
    print(text, flush=True)  # noqa: T201


def main() -> int:
    """Runs the command."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    findings: list[str] = []
    for what, slow in (("150 ms a sync", True), (f"{BURNING} burning processes", False)):
        print_line(f"== {what}")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            folder = Path(name)
            with slow_disk(folder) if slow else burning():
                found = run(folder)
            findings += [f"{what}: {each}" for each in found]
            if found:
                print_line((folder / "home.log").read_text()[-10_000:])
    for each in findings:
        print_line(f"FOUND: {each}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

"""The part "small requests that cost much" of `benchmarks/run edge`; also alone: `python -m benchmarks.edge_costs [WORD …]`, for
those requests whose names have these words in them.

Each request of `costly_requests.py` is sent once without other load, to measure the CPU seconds of the service and its child
processes. Then it is sent forty times at once, while eight clients predict (`steady.py`). A probe requests `/livez` all the
time: its latency shows how long the event loop was blocked, or waited for a processor. The largest legal requests
(`largest_requests.py`) are sent once. Responses have a timeout, and what has not begun after `SECONDS` in all is skipped and
named."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from benchmarks.costly_requests import REQUESTS, Costly, Prepared, prepare
from benchmarks.largest_requests import largest
from benchmarks.serving.servers import Ours, Server

AT_ONCE = int(os.environ.get("AT_ONCE", "40"))
SECONDS = float(os.environ.get("SECONDS", "330"))  # in which all is measured
PATIENCE, CROWD_PATIENCE = (
    60.0,
    12.0,
)  # timeouts of responses in seconds, alone and in a crowd
MIB = 2**20
WARM = 0.3  # seconds until a client that was started sends requests


def send(port: int, content: bytes, seen: Counter[str], patience: float) -> None:
    """Sends one request. Returns its status, or that the connection ended without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        answer, sending = b"", threading.Thread(target=_send, args=(connection, content))
        sending.start()
        try:
            while piece := connection.recv(65_536):
                answer = answer or piece
        except TimeoutError:
            answer = b"HTTP/1.1 late"
        except ConnectionError:
            pass
        seen[answer[9:13].decode("latin-1").strip() or "none"] += 1
    sending.join()


def _send(connection: socket.socket, content: bytes) -> None:
    with suppress(OSError):
        connection.sendall(content)


def at_once(port: int, content: bytes, times: int, patience: float) -> Counter[str]:
    """Sends so many at once. Returns their results."""
    seen: Counter[str] = Counter()
    threads = [threading.Thread(target=send, args=(port, content, seen, patience)) for _ in range(times)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return seen


@contextmanager
def helper(program: str, port: int, core: int) -> Iterator[list[Any]]:
    """Runs a program of this folder during the `with` block, and collects its output at the end: a JSON value a line."""
    lines: list[Any] = []
    command = ["taskset", "-c", str(core), sys.executable, str(Path(__file__).with_name(program)), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        time.sleep(WARM)
        yield lines
        lines += map(json.loads, process.communicate()[0].splitlines())


@contextmanager
def probed(server: Server, core: int) -> Iterator[dict[str, Any]]:
    """The latency of `/livez` meanwhile, and the highest memory of the service process."""
    over, memory = threading.Event(), [server.process.memory_info().rss]

    def poll() -> None:
        while not over.wait(0.01):
            memory.append(server.process.memory_info().rss)

    polling = threading.Thread(target=poll)
    found: dict[str, Any] = {}
    with helper("probe.py", server.port, core) as lines:
        polling.start()
        try:
            yield found
        finally:
            over.set()
            polling.join()
    found |= lines[0] | {"memory": max(memory) - memory[0]}


@contextmanager
def others(port: int, core: int) -> Iterator[dict[str, Any]]:
    """Eight clients that predict: the median over the seconds of their p99 latency, and how many requests failed."""
    found: dict[str, Any] = {}
    with helper("steady.py", port, core) as lines:
        yield found
    found |= {"others": median(each["p99"] for each in lines), "failed": sum(each["failed"] for each in lines)}


def alone(server: Server, costly: Costly, prepared: Prepared, core: int) -> str:
    """The cost of a request without other load."""
    content = costly.make(prepared)
    with probed(server, core) as once:
        before, began = server.cpu(), time.monotonic()
        seen = at_once(server.port, content, 1, PATIENCE)
        seconds, cpu = time.monotonic() - began, server.cpu() - before
    cells = f"{dict(seen)}".replace("'", "").strip("{}")
    line = f"{cells} | {seconds:.2f} s | {cpu:.2f} s | {once['slowest'] * 1e3:.0f} ms"
    return f"{line} | {once['memory'] / MIB:+.0f} MiB"


def in_a_crowd(server: Server, costly: Costly, prepared: Prepared, core: int) -> str:
    """The results of many at once, and the latency of the others meanwhile."""
    content = costly.make(prepared)
    with others(server.port, core) as crowd, probed(server, core) as many:
        seen = at_once(server.port, content, AT_ONCE, CROWD_PATIENCE)
    if seen["late"]:
        server.settle()
    cells = f"{dict(seen)}".replace("'", "").strip("{}")
    line = f"{cells} | {many['memory'] / MIB:+.0f} MiB | {many['p99'] * 1e3:.1f} ms | {crowd['others'] * 1e3:.1f} ms"
    return f"{line} | {crowd['failed']}"


def costs(server: Server, core: int, words: list[str]) -> None:
    """Prints both tables as Markdown: the small requests, and the largest legal ones."""
    until = time.monotonic() + SECONDS
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=120, trust_env=False) as http:
        prepared = prepare(http)
        everything = list(largest(http.get("/openapi.json").json()))
    left_out: list[str] = []

    def wanted(requests: list[Costly]) -> Iterator[Costly]:
        for each in requests:
            if words and not any(word in each.name for word in words):
                continue
            if time.monotonic() > until:
                left_out.append(each.name)
            else:
                yield each

    sys.stdout.write(
        f"Each once without other load, then {AT_ONCE} at once beside eight clients.\n\n"
        "| row | request | answer | took | CPU | loop held | memory "
        f"| {AT_ONCE} answers | memory | `/livez` p99 | others' p99 | failed |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    for each in wanted(REQUESTS):
        line, many = alone(server, each, prepared, core), in_a_crowd(server, each, prepared, core)
        sys.stdout.write(f"| {each.row} | {each.name} | {line} | {many} |\n")
        sys.stdout.flush()
    sys.stdout.write("| | must hold | | | ≤ 0.5 s | ≤ 50 ms | | | ≤ +512 MiB | ≤ 50 ms | ≤ 50 ms | 0 |\n\n")
    sys.stdout.write(
        "The largest legal requests, each once: answered, or refused within 1 s.\n\n"
        "| request | answer | took | CPU | loop held | memory |\n|---|---|---|---|---|---|\n"
    )
    for each in wanted(everything):
        sys.stdout.write(f"| {each.name} | {alone(server, each, prepared, core)} |\n")
        sys.stdout.flush()
    if left_out:
        sys.stdout.write(f"\nNot measured in {SECONDS:.0f} s: {'; '.join(left_out)}.\n")


def main(words: list[str]) -> None:
    """On a service of its own."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, Ours(Path(folder) / "home").serve(cores[0]) as server:
        psutil.Process().cpu_affinity(cores[1:] or cores)
        costs(server, cores[-1], words)


if __name__ == "__main__":
    main(sys.argv[1:])

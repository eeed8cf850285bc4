"""The part "small requests that cost much" of `benchmarks/run edge`; also alone: `python -m benchmarks.edge_costs [WORD …]`, for
those requests whose names have these words in them.

Each request of `costly_requests.py` is sent once while nobody else asks: that tells the seconds of CPU that it takes, in the
service and what it starts. Then forty times at once, while eight clients predict (`steady.py`). A probe asks `/livez` all the
time: what is slower than usual is what the event loop was held for, or waited for a processor."""

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

from benchmarks.costly_requests import LEGAL, REQUESTS, Costly, Prepared, prepare
from benchmarks.serving.servers import Ours, Server

AT_ONCE = int(os.environ.get("AT_ONCE", "40"))
PATIENCE = 60.0  # seconds after which an answer is not waited for any longer
MIB = 2**20
LIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


def send(port: int, content: bytes, seen: Counter[str]) -> None:
    """One request, and what became of it: a status, or that the connection ended without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
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


def at_once(port: int, content: bytes, times: int) -> Counter[str]:
    """So many of them, and what became of them."""
    seen: Counter[str] = Counter()
    threads = [threading.Thread(target=send, args=(port, content, seen)) for _ in range(times)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return seen


@contextmanager
def probed(server: Server) -> Iterator[dict[str, Any]]:
    """What `/livez` takes meanwhile, and the most memory of the service itself."""
    over, took, memory = threading.Event(), list[float](), [server.process.memory_info().rss]

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
            while not over.wait(0.003):
                began = time.monotonic()
                connection.sendall(LIVE)
                if not connection.recv(65_536):
                    return
                took.append(time.monotonic() - began)
                memory.append(server.process.memory_info().rss)

    asking = threading.Thread(target=ask)
    asking.start()
    told: dict[str, Any] = {}
    try:
        yield told
    finally:
        over.set()
        asking.join()
        took.sort()
        told |= {"p99": took[len(took) * 99 // 100], "slowest": took[-1], "memory": max(memory) - memory[0]}


@contextmanager
def others(port: int, core: int) -> Iterator[dict[str, Any]]:
    """Eight clients that predict, and the slowest percent of theirs: the median of the seconds, and how many failed."""
    told: dict[str, Any] = {}
    command = ["taskset", "-c", str(core), sys.executable, str(Path(__file__).with_name("steady.py")), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        time.sleep(1)
        yield told
        seen = [json.loads(line) for line in process.communicate()[0].splitlines()]
    told |= {"others": median(each["p99"] for each in seen), "failed": sum(each["failed"] for each in seen)}


def measured(server: Server, costly: Costly, prepared: Prepared, core: int) -> dict[str, Any]:
    """One row of the table."""
    content = costly.make(prepared)
    before = server.cpu()
    with probed(server) as once:
        began = time.monotonic()
        seen = at_once(server.port, content, 1)
        seconds = time.monotonic() - began
    told = {"seen": dict(seen), "seconds": seconds, "cpu": server.cpu() - before, "held": once["slowest"]}
    if costly.row:
        with others(server.port, core) as crowd, probed(server) as many:
            seen = at_once(server.port, content, AT_ONCE)
        told |= {
            "seen": told["seen"] | {f"x{AT_ONCE}": dict(seen)},
            **crowd,
            "p99": many["p99"],
            "memory": many["memory"],
        }
    else:
        told |= {"memory": once["memory"]}
    return told


def costs(server: Server, core: int, words: list[str]) -> None:
    """Prints both tables as Markdown: the small requests, and the largest legal ones."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=120, trust_env=False) as http:
        prepared = prepare(http)
    wanted = [each for each in [*REQUESTS, *LEGAL] if not words or any(word in each.name for word in words)]
    line = "| {} | {} | {} | {:.2f} s | {:.2f} s | {:.0f} ms | {:+.0f} MiB | {} | {} | {} |\n"
    sys.stdout.write(
        f"Each once while nobody else asks, and {AT_ONCE} at once beside eight clients. Row 0: the largest legal requests.\n\n"
        "| row | request | answers | took | CPU | loop held | memory | `/livez` p99 | others' p99 | failed |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n"
    )
    for each in wanted:
        told = measured(server, each, prepared, core)
        p99, of_others = (f"{told[name] * 1e3:.1f} ms" if name in told else "" for name in ("p99", "others"))
        seen = str(told["seen"]).replace("'", "")
        sys.stdout.write(
            line.format(
                each.row,
                each.name,
                seen,
                told["seconds"],
                told["cpu"],
                told["held"] * 1e3,
                told["memory"] / MIB,
                p99,
                of_others,
                told.get("failed", ""),
            )
        )
        sys.stdout.flush()
    sys.stdout.write("| | must hold | | | ≤ 0.5 s | ≤ 50 ms | ≤ +512 MiB | ≤ 50 ms | ≤ 50 ms | 0 |\n")


def main(words: list[str]) -> None:
    """On a service of its own."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, Ours(Path(folder) / "home").serve(cores[0]) as server:
        psutil.Process().cpu_affinity(cores[1:] or cores)
        costs(server, cores[-1], words)


if __name__ == "__main__":
    main(sys.argv[1:])

"""`benchmarks/run edge`: the effect of hostile clients on others. Each attack runs beside eight clients that predict one row
each (`steady.py`). Measured are how long the service kept the attacker's connection, the memory used, and the p99 latency of
the others for each second: the median during the attack, the median before and after it, and the maximum. Then small
expensive requests, and the largest legal ones (`edge_costs.py`)."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import mean, median
from typing import Any

import httpx
import psutil

from benchmarks import edge_costs
from benchmarks.serving.servers import Ours, Server
from modelwright import Client
from service.workflow.spec import EXAMPLE

SECONDS_EACH = int(os.environ.get("SECONDS_EACH", "10"))  # of an attack that is repeated
USUAL = int(os.environ.get("USUAL", "8"))  # seconds before each attack, and after
IDLE = int(os.environ.get("IDLE", "10000"))
SLOW = 500  # connections of each kind of slow client
BEARABLE = 20.0
HEAD = b"POST /v1/training-jobs/validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
Second = dict[str, Any]  # a line of steady.py's output

# Attacks this port, sets the event once it has fully started, and returns the seconds until it was refused.
Attack = Callable[[int, threading.Event], float]


def connect(port: int) -> socket.socket:
    """A connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=BEARABLE)


def until_closed(connections: list[socket.socket]) -> float:
    """Seconds until the server has closed the last of them. The newest is awaited first, which uses no processor
    meanwhile."""
    began = time.monotonic()
    for each in reversed(connections):
        with suppress(ConnectionError):
            while each.recv(65_536):
                pass
        each.close()
    return time.monotonic() - began


def send(port: int, head: bytes, piece: bytes, times: int) -> float:
    """Sends a request without end until it is refused."""
    with connect(port) as connection:
        began = time.monotonic()
        with suppress(ConnectionError):
            connection.sendall(head)
            for _ in range(times):
                connection.sendall(piece)
        until_closed([connection])
        return time.monotonic() - began


def declared_body(port: int, begun: threading.Event) -> float:
    """300 MiB of JSON with their Content-Length."""
    begun.set()
    return send(port, HEAD + b"Content-Length: 314572800\r\n\r\n", b"[" * 2**20, 300)


def chunked_body(port: int, begun: threading.Event) -> float:
    """300 MiB of JSON in chunks."""
    begun.set()
    return send(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + b"[" * 2**20 + b"\r\n", 300)


def long_header(port: int, begun: threading.Event) -> float:
    """A header of 1 MB."""
    begun.set()
    return send(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nA: ", b"a" * 1000, 1000)


def many_headers(port: int, begun: threading.Event) -> float:
    """20,000 headers."""
    begun.set()
    return send(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"A: b\r\n", 20_000)


def slow_clients(port: int, begun: threading.Event) -> float:
    """Incomplete heads, and bodies that are sent byte by byte."""
    starts = [b"GET / HTTP/1.1\r\nHost: localhost\r\n", HEAD + b"Content-Length: 100000\r\n\r\n"] * SLOW
    connections = [connect(port) for _ in starts]
    began = time.monotonic()
    for each, start in zip(connections, starts, strict=True):
        each.sendall(start)
    begun.set()
    while time.monotonic() - began < 8:
        for each in connections[1::2]:
            with suppress(ConnectionError):
                each.sendall(b" ")
        time.sleep(1)
    until_closed(connections)
    return time.monotonic() - began


def idle_connections(port: int, begun: threading.Event) -> float:
    """Connections that send nothing."""
    connections = [connect(port) for _ in range(IDLE)]
    begun.set()
    return until_closed(connections)


@contextmanager
def highest_memory(server: Server) -> Iterator[list[int]]:
    """The highest memory of the service process in bytes, by polling."""
    over, highest = threading.Event(), [0]

    def poll() -> None:
        while not over.wait(0.1):
            highest[0] = max(highest[0], server.process.memory_info().rss)

    watcher = threading.Thread(target=poll)
    watcher.start()
    try:
        yield highest
    finally:
        over.set()
        watcher.join()


@contextmanager
def steady(port: int, core: int) -> Iterator[list[Second]]:
    """Runs the other clients, and collects their output at the end."""
    seen: list[Second] = []
    command = ["taskset", "-c", str(core), sys.executable, str(Path(__file__).with_name("steady.py")), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as others:  # noqa: S603
        yield seen
        printed, _ = others.communicate()
    seen += map(json.loads, printed.splitlines())


def under(server: Server, attack: Attack, core: int, again: bool) -> tuple[float, int, list[Second], list[Second]]:
    """Runs the attack beside the others. Returns the longest time until a refusal, the highest memory, and the others'
    seconds during the attack, and before and after it."""
    kept: list[float] = []
    begun, over = threading.Event(), threading.Event()

    def go() -> None:
        # It shares the core of the load: only the service is measured.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while not over.is_set():
            kept.append(attack(server.port, begun))
            if not again or over.wait(1):
                return

    attacker = threading.Thread(target=go)
    with steady(server.port, core) as seen, highest_memory(server) as highest:
        time.sleep(USUAL + 1)
        started = time.monotonic()
        attacker.start()
        begun.wait()
        since = time.monotonic()
        if again:
            over.wait(SECONDS_EACH)
            over.set()
        attacker.join()
        until = time.monotonic()
        time.sleep(USUAL + 1)
    # Without the first and the last second, which are not whole seconds of normal load.
    usual = [each for each in seen[1:-1] if each["began"] + 1 < started or each["began"] > until]
    return max(kept), highest[0], [each for each in seen if since - 1 <= each["began"] <= until], usual


ATTACKS: list[tuple[str, Attack, bool]] = [
    ("300 MiB of JSON, declared; one a second", declared_body, True),
    ("300 MiB of JSON in chunks; one a second", chunked_body, True),
    ("a header of 1 MB; one a second", long_header, True),
    ("20,000 headers; one a second", many_headers, True),
    (f"{SLOW} half heads and {SLOW} bodies of a byte a second", slow_clients, False),
    (f"{IDLE:,} idle connections", idle_connections, False),
]


def main() -> None:
    """Prints the table as Markdown."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, Ours(Path(folder) / "home").serve(cores[0]) as server:
        with Client(f"http://127.0.0.1:{server.port}", transport=httpx.HTTPTransport()) as client:
            client.wait(client.train(EXAMPLE | {"model_name": "line"})["id"])
        psutil.Process().cpu_affinity(cores[1:])  # attackers and load share the remaining cores
        memory = server.process.memory_info().rss
        seen = [(name, *under(server, attack, cores[-1], again)) for name, attack, again in ATTACKS]
    sys.stdout.write(
        "The attackers share the load's core, at the lowest priority: what they take from the load itself is in the others' "
        "p99, too.\n\n"
        "| attack | borne for at most | memory | others' p99 | usual | | its worst second | usual | others' rate | failed |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n"
    )
    for name, seconds, highest, others, usual in seen:
        p99, before = ([each["p99"] for each in them] for them in (others, usual))
        rate = mean(each["answered"] for each in others) / mean(each["answered"] for each in usual)
        sys.stdout.write(
            f"| {name} | {seconds:.2f} s | {max(0, highest - memory) / 2**20:+.0f} MiB "
            f"| {median(p99) * 1e3:.2f} ms | {median(before) * 1e3:.2f} ms | {median(p99) / median(before) - 1:+.0%} "
            f"| {max(p99) * 1e3:.2f} ms | {max(before) * 1e3:.2f} ms "
            f"| {rate - 1:+.0%} | {sum(each['failed'] for each in others + usual)} |\n"
        )
    sys.stdout.write("| must hold | ≤ 10 s | ≤ +96 MiB | | | ≤ +10% | | | | 0 |\n")
    sys.stdout.write("\n## Small requests that cost much\n\n")
    psutil.Process().cpu_affinity(cores)  # its service has a core of its own
    edge_costs.main([])


if __name__ == "__main__":
    main()

"""The load: `wrk` for closed loops, and an open loop of our own, whose rate does not depend on the latency.

`wrk` is Debian's package of that name. It gets one thread on the load's core, and a request that never changes, which it
therefore renders once. Its limit is several times that of the bare ASGI application.
"""

import asyncio
import json
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

WAIT_FOR_LAST = 10.0  # seconds after the last request for which its answer may take; then it counts as unanswered

SCRIPT = """
wrk.method = "POST"
wrk.body = io.open({body}, "rb"):read("*a")
{headers}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nJSON{{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%f,"p99":%f}}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50.0), latency:percentile(99.0)))
end
"""


@dataclass(frozen=True)
class Request:
    """A POST, or a GET if it has no body."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass(frozen=True)
class Closed:
    """The results of a closed loop. Times in seconds."""

    answered: int  # with 2xx or 3xx
    refused: int  # with 4xx or 5xx
    broken: int  # connections that could not be made, read or written, or timed out
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


def closed_loop(core: int, port: int, request: Request, connections: int, seconds: int) -> Closed:
    """So many connections, each sending its next request once it has the response."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("This benchmark needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        body, script = Path(folder) / "body", Path(folder) / "post.lua"
        body.write_bytes(request.body)
        headers = "\n".join(f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in request.headers.items())
        script.write_text(SCRIPT.format(body=json.dumps(str(body)), headers=headers))
        command = ["taskset", "-c", str(core), program, "--threads", "1", "--connections", str(connections)]
        command += ["--duration", f"{seconds}s", "--timeout", "10s", "--script", str(script)]
        command.append(f"http://127.0.0.1:{port}{request.path}")
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)  # noqa: S603
    seen = json.loads(done.stdout.rpartition("JSON")[2])
    return Closed(
        answered=seen["requests"] - seen["refused"],
        refused=seen["refused"],
        broken=seen["broken"],
        seconds=seen["microseconds"] / 1e6,
        p50=seen["p50"] / 1e6,
        p99=seen["p99"] / 1e6,
    )


@dataclass
class Open:
    """The results of an open loop. Latencies in seconds, from the moment a request was due."""

    offered: int
    accepted: list[float]
    refused: list[float]  # 429 and 503
    failed: dict[str, int]  # any other end, and how often
    late: list[float]  # how late the loop itself was in handing on a request that had a connection

    @property
    def failures(self) -> int:
        """Requests that ended neither in an answer nor in 429 or 503."""
        return sum(self.failed.values())


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)] if ordered else float("nan")


def open_loop(port: int, request: Request, rate: float, seconds: float, seed: int = 0) -> Open:
    """Requests at random moments (a Poisson process) of so many a second, whether or not earlier ones are answered.

    Each connection carries one request at a time; where none is free a new one is made, and past as many as the process
    may open a request waits: its latency still counts from the moment when it was due.
    """
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Loop(port, request).run(rate, seconds, seed))


class _Loop:
    """One open loop over a pool of connections."""

    def __init__(self, port: int, request: Request) -> None:
        self.port = port
        head = f"POST {request.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(request.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        self.bytes = head.encode() + b"\r\n" + request.body
        self.free: list[_Connection] = []
        self.all: set[_Connection] = set()
        self.waiting: deque[float] = deque()
        self.opening: set[asyncio.Task[None]] = set()
        self.most = min(4000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
        self.seen = Open(0, [], [], {}, [])
        self.outstanding = 0

    async def run(self, rate: float, seconds: float, seed: int) -> Open:
        """Offers the requests, and waits for the answers."""
        gaps, began = random.Random(seed), time.perf_counter() + 0.05  # noqa: S311
        due, end = began, began + seconds
        while (due := due + gaps.expovariate(rate)) < end:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            self.offer(due)
        deadline = time.perf_counter() + WAIT_FOR_LAST
        while self.outstanding and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        if self.outstanding:
            self.seen.failed["unanswered"] = self.outstanding
        self.outstanding = -1  # what ends from here on does not count
        for task in self.opening:
            task.cancel()
        for connection in list(self.all):
            connection.transport.abort()
        await asyncio.sleep(0)
        return self.seen

    def offer(self, due: float) -> None:
        """Hands on a request that is due."""
        self.seen.offered += 1
        self.outstanding += 1
        if self.free:
            self.seen.late.append(time.perf_counter() - due)
            self.free.pop().send(due)
            return
        self.waiting.append(due)
        if len(self.all) + len(self.opening) < self.most:
            task = asyncio.ensure_future(self.open())
            self.opening.add(task)
            task.add_done_callback(self.opening.discard)

    async def open(self) -> None:
        """One more connection, for what waits."""
        try:
            await asyncio.get_running_loop().create_connection(lambda: _Connection(self), "127.0.0.1", self.port)
        except OSError as error:
            if self.waiting:
                self.waiting.popleft()
                self.failed(f"connect: {error.strerror}")

    def ended(self, status: int, due: float) -> None:
        """A request has its answer."""
        if self.outstanding < 0:
            return
        latency = time.perf_counter() - due
        if 200 <= status < 300:
            self.seen.accepted.append(latency)
            self.outstanding -= 1
        elif status in (429, 503):
            self.seen.refused.append(latency)
            self.outstanding -= 1
        else:
            self.failed(str(status))

    def failed(self, why: str) -> None:
        """A request has failed."""
        if self.outstanding >= 0:
            self.seen.failed[why] = self.seen.failed.get(why, 0) + 1
            self.outstanding -= 1


class _Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    transport: asyncio.Transport

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop
        self.due: float | None = None
        self.read = bytearray()
        self.length = -1  # of the whole answer, once its head is there
        self.closes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.loop.all.add(self)
        self.next()

    def next(self) -> None:
        """The next request that waits, or the pool."""
        if self.loop.waiting and self.loop.outstanding >= 0:
            self.send(self.loop.waiting.popleft())
        else:
            self.loop.free.append(self)

    def send(self, due: float) -> None:
        """Sends the request."""
        self.due = due
        self.transport.write(self.loop.bytes)

    def data_received(self, data: bytes) -> None:
        self.read += data
        if self.length < 0:
            end = self.read.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.read[:end]).lower()
            if b"content-length:" not in head:
                raise ValueError("an answer without Content-Length")
            self.length = end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            self.closes = b"connection: close" in head
        if len(self.read) >= self.length and self.due is not None:
            status, due = int(self.read[9:12]), self.due
            self.due, self.length = None, -1
            self.read.clear()
            self.loop.ended(status, due)
            if self.closes:
                self.transport.close()
            else:
                self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        self.loop.all.discard(self)
        if self in self.loop.free:
            self.loop.free.remove(self)
        if self.due is not None:
            self.loop.failed("connection lost")

"""`benchmarks/run serving`: predictions over HTTP, beside other servers of the same network and beside no model at all.

The server has one core, the load another. Each of `RUNS` rounds starts every server afresh; the table has the medians.
"""

import io
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

import httpx
import torch

from benchmarks.serving import bodies, crowd
from benchmarks.serving.bodies import FORMATS, NPY, OIP, OIP_JSON
from benchmarks.serving.flips import Flips, flip
from benchmarks.serving.load import Open, Request, closed_loop, open_loop, percentile
from benchmarks.serving.models import spec, weights
from benchmarks.serving.peers.network import network, rows
from benchmarks.serving.results import Seen, figure, log_progress
from benchmarks.serving.servers import BY_HAND, PEERS, NotMeasured, Ours, Server, bare
from modelwright import Client

RUNS = int(os.environ.get("RUNS", "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "6"))  # of each closed loop
OVERLOAD = float(os.environ.get("OVERLOAD_SECONDS", "60"))
BIG = int(os.environ.get("BIG_MODELS", "50"))  # models of 1 MB
SMALL = int(os.environ.get("SMALL_MODELS", "20"))  # models of 100 kB
CROWD = int(os.environ.get("CROWD_MODELS", "1000"))  # models of 100 kB behind one process
FEW_BYTES = 20_000_000  # of warm models, where they shall not all stay
FLIPS = int(os.environ.get("FLIPS", "1000"))
ONLY = os.environ.get("PEERS")  # titles, comma-separated; all if not set
MOST_OFFERED = 3000.0  # requests a second in the open loop
HEAVY_HIDDEN, HEAVY_ROWS = [1024, 1024, 1024], 224  # so many rows that sharing a forward makes it hardly cheaper
BIG_HIDDEN, SMALL_HIDDEN = [507, 507], [153, 153]
ONE, ALONE, MANY = "1 row", "1 row, 1 connection", "1000 rows JSON"
CONNECTIONS = {ONE: 32, ALONE: 1, MANY: 32} | dict.fromkeys((*FORMATS, OIP_JSON), 32)
LEAST = {ONE: {}, ALONE: {}, MANY: {"least": "json"}, NPY: {"least": "forward", "sketch": "npy"}}  # work for bare.py


class Benchmark:
    """All that is measured in one run."""

    def __init__(self, home: Path) -> None:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise SystemExit("This benchmark needs two cores: one for the server, one for the load.")
        self.core, self.load = cores[0], cores[1]
        os.sched_setaffinity(0, {self.load})
        self.ours = Ours(home)
        self.seen: dict[tuple[str, str], Seen] = defaultdict(Seen)
        self.absent: dict[str, str] = {}  # a contender or a workload that could not be measured, and why
        self.forward: dict[str, list[float]] = defaultdict(list)  # seconds of the bare forward
        self.light: list[Open] = []
        self.overload: list[Open] = []
        self.offered: list[tuple[float, float]] = []  # a second, and in times of the capacity
        self.memory: list[float] = []  # bytes of RSS for each byte of weights
        self.cold: list[float] = []
        self.crowds: list[crowd.Crowd] = []
        self.bounded: list[crowd.Crowd] = []
        self.flips: list[Flips] = []

    # The load

    def measure(self, who: str, what: str, server: Server, request: Request) -> None:
        """One closed loop, after a short one that warms."""
        closed_loop(self.load, server.port, request, CONNECTIONS[what], 1)
        before = server.cpu()
        closed = closed_loop(self.load, server.port, request, CONNECTIONS[what], SECONDS)
        self.seen[who, what].add(closed, server.cpu() - before)

    @contextmanager
    def on_the_servers_core(self) -> Iterator[None]:
        """Moves this process to the server's core, while no server runs there."""
        os.sched_setaffinity(0, {self.core})
        try:
            yield
        finally:
            os.sched_setaffinity(0, {self.load})

    def bare_forward(self, what: str, model: torch.nn.Module, x: torch.Tensor) -> float:
        """Median seconds of a forward on the server's core."""
        with self.on_the_servers_core(), torch.inference_mode():
            times = []
            for _ in range(50):
                began = time.perf_counter()
                model(x)
                times.append(time.perf_counter() - began)
        self.forward[what].append(median(times))
        return median(times)

    # Rounds

    def round(self) -> None:
        """Measures every contender and every workload once."""
        asked = {ONE: rows(1).tolist(), ALONE: rows(1).tolist(), MANY: rows(1000).tolist()}
        self.bare_forward(MANY, network(), rows(1000))
        answers = self.round_of_ours({what: self.ours.request(each) for what, each in asked.items()})
        self.round_with_a_key(self.ours.request(asked[ONE]))
        for what, (request, answer) in answers.items():
            if what == OIP_JSON:  # is compared with a peer only
                continue
            with bare(self.core, request, answer) as server:
                self.measure("bare", what, server, request)
            for who, work in LEAST.get(what, {"least": "forward"}).items():
                with bare(self.core, request, answer, work) as server:
                    self.measure(who, what, server, request)
        with torch.inference_mode():
            expected = network()(rows(1)).squeeze(1).tolist()
        for peer in PEERS:
            if peer.title in self.absent or (ONLY is not None and peer.title not in ONLY.split(",")):
                continue
            log_progress(peer.title)
            try:
                with peer.serve(self.core, asked[ONE], expected) as server:
                    for what, each in asked.items():
                        self.measure(peer.title, what, server, peer.request(each))
            except NotMeasured as why:
                self.absent[peer.title] = str(why)
        self.round_of_overload()
        self.round_of_memory()
        self.round_of_cold_loads()
        self.round_of_a_crowd()
        self.round_of_flips()

    def round_of_ours(self, requests: dict[str, Request]) -> dict[str, tuple[Request, httpx.Response]]:
        """Every closed loop against us; returns the requests, with our responses."""
        answers = {}
        binary = bodies.requests(requests[ONE].path)
        with self.ours.serve(self.core, requests[ONE]) as server:
            for what, request in (requests | binary).items():
                answer = server.ask(request)
                if answer.status_code != 200:
                    self.absent[what] = "not yet" if answer.status_code == 415 else f"answered {answer.status_code}"
                    continue
                log_progress(f"ours, {what}")
                answers[what] = request, answer
                self.measure("ours", what, server, request)
        return answers

    def round_with_a_key(self, request: Request) -> None:
        """The same to a service that has a key, by clients that send it, and a request id with it."""
        key = f"mw_{secrets.token_urlsafe(32)}"
        home = self.ours.home.with_name("with-a-key")  # a home that has had a key does not start without one
        shutil.copytree(self.ours.home, home, dirs_exist_ok=True)
        guarded = Ours(home, self.ours.settings | {"MODELWRIGHT_ADMIN_KEY": key})
        headers = {**request.headers, "Authorization": f"Bearer {key}", "Request-Id": "benchmark"}
        request = Request(request.path, request.body, headers)
        log_progress("ours, with a key")
        with guarded.serve(self.core, request) as server:
            self.measure("with a key", ONE, server, request)

    def round_of_overload(self) -> None:
        """The heavy model: its capacity, then an open loop at 70 % of that, then at ten times as much."""
        request = self.ours.request(rows(HEAVY_ROWS).tolist(), "heavy")
        layers: list[torch.nn.Module] = []
        for width, following in pairwise([8, *HEAVY_HIDDEN]):
            layers += [torch.nn.Linear(width, following), torch.nn.ReLU()]
        self.bare_forward("heavy", torch.nn.Sequential(*layers, torch.nn.Linear(1024, 1)), rows(HEAVY_ROWS))
        log_progress("overload")
        with self.ours.serve(self.core, request) as server:
            capacity = closed_loop(self.load, server.port, request, 4, max(SECONDS, 3)).rate
            self.light.append(open_loop(server.port, request, 0.7 * capacity, OVERLOAD, seed=len(self.light)))
            offered = min(10 * capacity, MOST_OFFERED)
            self.overload.append(open_loop(server.port, request, offered, OVERLOAD, seed=len(self.overload)))
            self.offered.append((offered, offered / capacity))

    def round_of_memory(self) -> None:
        """The growth of memory with each model that is requested for the first time, after five for warming up."""
        log_progress("memory")
        requests = [self.ours.request(rows(1).tolist(), f"big-{i}") for i in range(BIG)]
        warming = min(5, BIG // 2)
        with self.ours.serve(self.core) as server:
            for request in requests[:warming]:
                server.ask(request).raise_for_status()
            before = server.memory()
            for request in requests[warming:]:
                server.ask(request).raise_for_status()
            self.memory.append((server.memory() - before) / (BIG - warming) / weights(BIG_HIDDEN))

    def round_of_cold_loads(self) -> None:
        """The first prediction of each small model, in a service that has predicted with another."""
        log_progress("cold loads")
        warm = self.ours.request(rows(1).tolist())
        with (
            self.ours.serve(self.core, warm) as server,
            httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client,
        ):
            client.post(warm.path, content=warm.body, headers=dict(warm.headers)).raise_for_status()
            for i in range(SMALL):
                request = self.ours.request(rows(1).tolist(), f"small-{i}")
                began = time.perf_counter()
                client.post(request.path, content=request.body, headers=dict(request.headers)).raise_for_status()
                self.cold.append(time.perf_counter() - began)

    def round_of_a_crowd(self) -> None:
        """Many models behind one process: with room for all, and with room for few."""
        log_progress("a crowd")
        warm = self.ours.request(rows(1).tolist())
        requests = [self.ours.request(rows(1).tolist(), f"crowd-{i}") for i in range(CROWD)]
        few = Ours(self.ours.home, self.ours.settings | {"MODELWRIGHT_WARM_MODEL_BYTES": str(FEW_BYTES)})
        for ours, seen in ((self.ours, self.crowds), (few, self.bounded)):
            with ours.serve(self.core, warm) as server:
                seen.append(crowd.ask(server, requests))

    def round_of_flips(self) -> None:
        """An alias that moves between two versions under load."""
        log_progress("flips")
        request = self.ours.request(rows(1).tolist(), "flipped")
        with self.ours.serve(self.core, request) as server:
            self.flips.append(flip(server.port, "flipped", request, FLIPS))

    # The models

    def publish(self) -> None:
        """Trains all models through the API, for no epochs, so their weights stay random."""
        log_progress("publishing")
        named = {"m": [64, 64], "heavy": HEAVY_HIDDEN}
        named |= {f"big-{i}": BIG_HIDDEN for i in range(BIG)} | {f"small-{i}": SMALL_HIDDEN for i in range(SMALL)}
        with (
            self.ours.serve(self.core) as server,
            Client(f"http://127.0.0.1:{server.port}", transport=httpx.HTTPTransport()) as client,
        ):
            jobs = [client.train(spec(name, hidden, seed))["id"] for seed, (name, hidden) in enumerate(named.items())]
            for job in jobs:
                client.wait(job)
            for seed in (1, 2):  # one after the other: versions 1 and 2
                client.wait(client.train(spec("flipped", [64, 64], seed))["id"])
        crowd.publish(self.ours.home, "small-0", [f"crowd-{i}" for i in range(CROWD)])

    # The table

    def table(self) -> str:
        """The results as Markdown."""
        out = io.StringIO()
        out.write(f"Server on core {self.core}, load on core {self.load}; {RUNS} rounds of {SECONDS} s, medians.\n\n")
        out.write(
            "| server | 1 row: req/s | CPU µs a request | 1 connection: p50 µs | 1000 rows: req/s | CPU µs | failures |\n"
        )
        out.write("|---|---|---|---|---|---|---|\n")
        for who in ["bare", "ours", *(peer.title for peer in PEERS)]:
            if (who, ONE) in self.seen and who not in self.absent:
                one, alone, many = (self.seen[who, what] for what in (ONE, ALONE, MANY))
                failures = one.failures + alone.failures + many.failures
                out.write(
                    f"| {'bare ASGI' if who == 'bare' else who} | {median(one.rate):,.0f} | {1e6 * median(one.cpu):,.0f} "
                    f"| {1e6 * median(alone.p50):,.0f} | {median(many.rate):,.0f} | {1e6 * median(many.cpu):,.0f} "
                    f"| {failures} |\n"
                )
        for title, why in self.absent.items():
            if title not in FORMATS:
                out.write(f"\n{title} is left out: {why}\n")
        out.write("\n| work | measured | must hold | holds |\n|---|---|---|---|\n")
        for line in self.figures():
            out.write(line)
        return out.getvalue()

    def figures(self) -> Iterator[str]:
        """A row for each figure that must hold."""
        yield self.faster(ONE, "bare", 0.7)
        keyed = median(self.seen["with a key", ONE].rate) / median(self.seen["bare", ONE].rate)
        yield figure(
            "the same with a key, metrics and request ids",
            f"{keyed:.2f} × bare ASGI",
            "≥ 0.6 × bare ASGI",
            keyed >= 0.6,
        )
        yield self.faster(ONE, BY_HAND.title, 4)
        yield self.faster(ONE, "PyTriton", 4.5)
        slower = median(self.seen["ours", ALONE].p50) / median(self.seen["bare", ALONE].p50)
        yield figure("1 row, 1 connection, p50", f"{slower:.2f} × bare ASGI", "≤ 2.3 ×", slower <= 2.3)
        yield self.sketch()
        for what in FORMATS:
            yield from self.format(what)
        yield self.against_json(OIP, "PyTriton", 4)
        yield self.against_json(OIP_JSON, "MLServer", 1.4)
        yield from self.never_overrun()
        asked = sum(sum(each.answers.values()) for each in self.flips)
        failures = sum((each.failures for each in self.flips), Counter())
        shown = f"{failures.total()} of {asked + failures.total()} {dict(failures) or ''}".strip()
        work = (
            f"{FLIPS} alias flips, {1e3 * median(each.seconds for each in self.flips):.1f} ms each: wrong or no answer"
        )
        yield figure(work, shown, "0", not failures)
        grown = median(self.memory)
        yield figure("RSS for each further 1 MB model", f"{grown:.2f} MB", "≤ 1.3 MB", grown <= 1.3)
        cold = median(self.cold)
        yield figure("cold load of a 100 kB model", f"{1e3 * cold:.1f} ms", "≤ 20 ms", cold <= 0.02)
        yield from self.behind_one_process()

    def behind_one_process(self) -> Iterator[str]:
        """The crowd."""
        work, wrong = f"{CROWD} models of 100 kB behind one process", max(each.wrong for each in self.crowds)
        yield figure(f"{work}: wrong or no answer", str(wrong), "0", not wrong)
        cold = [seconds for each in self.crowds for seconds in each.cold]
        shown = f"{1e3 * median(cold):.1f} ms, p99 {1e3 * percentile(cold, 99):.1f} ms"
        yield figure("the same: first answer", shown, "≤ 20 ms", median(cold) <= 0.02)
        yield figure(
            "the same: RSS each", f"{median(each.grown for each in self.crowds) / CROWD / 1e6:.2f} MB", "", None
        )
        wrong, grown = max(each.wrong for each in self.bounded), median(each.grown for each in self.bounded)
        shown = f"{grown / 1e6:.0f} MB, {wrong} wrong"
        work = f"the same with room for {FEW_BYTES / 1e6:.0f} MB: RSS"
        yield figure(work, shown, f"≤ {1.3 * FEW_BYTES / 1e6:.0f} MB", not wrong and grown <= 1.3 * FEW_BYTES)

    def faster(self, what: str, than: str, least: float) -> str:
        """How many times the rate of another we reach."""
        work = f"{what}, {CONNECTIONS[what]} connections, req/s"
        named = "bare ASGI" if than == "bare" else than
        if not self.seen[than, what].rate or than in self.absent:
            return figure(work, f"no {named} in this run", f"≥ {least:g} × {named}", None)
        times = median(self.seen["ours", what].rate) / median(self.seen[than, what].rate)
        return figure(work, f"{times:.2f} × {named}", f"≥ {least:g} × {named}", times >= least)

    def against_json(self, what: str, than: str, least: float) -> str:
        """How many times the rate that another reaches with as many rows in JSON."""
        must = f"≥ {least:g} × {than}'s JSON"
        if what in self.absent or than in self.absent or not self.seen[than, MANY].rate:
            return figure(f"{what}, req/s", f"no {than} in this run", must, None)
        times = median(self.seen["ours", what].rate) / median(self.seen[than, MANY].rate)
        return figure(f"{what}, req/s", f"{times:.2f} × {than}'s JSON", must, times >= least)

    def sketch(self) -> str:
        """Our rate beside that of a bare application with the same libraries and no check."""
        times = median(self.seen["ours", MANY].rate) / median(self.seen["least", MANY].rate)
        who = "bare ASGI + simdjson + forward + orjson, no check"
        return figure(
            f"{MANY}, {CONNECTIONS[MANY]} connections, req/s", f"{times:.2f} × {who}", "≥ 0.65 ×", times >= 0.65
        )

    def format(self, what: str) -> Iterator[str]:
        """A binary format beside the least that it could cost: seconds of a request where the server never waits."""
        if what in self.absent:
            yield figure(what, self.absent[what], "", None)
            return
        seconds = 1 / median(self.seen["ours", what].rate)
        least = 1 / median(self.seen["bare", what].rate) + median(self.forward[MANY])
        shown = f"{seconds / least:.2f} × bare ASGI + forward ({1e6 * least:.0f} µs)"
        both = 1 / median(self.seen["least", what].rate)
        yield figure(what, f"{shown}, {seconds / both:.2f} × one server that does both ({1e6 * both:.0f} µs)", "", None)
        if self.seen["sketch", what].rate:
            times = seconds * median(self.seen["sketch", what].rate)
            who = "bare ASGI + NumPy + one check + forward + orjson"
            yield figure("the same", f"{times:.2f} × {who}", "≤ 1.35 ×", times <= 1.35)

    def never_overrun(self) -> Iterator[str]:
        """Overload. Latencies count from the moment when a request was due."""
        rate, times = median(each[0] for each in self.offered), median(each[1] for each in self.offered)
        calm = median(percentile(each.accepted, 99) for each in self.light)
        hard = median(percentile(each.accepted, 99) for each in self.overload)
        refused = median(percentile(each.refused, 99) for each in self.overload)
        late = max(percentile(each.late, 99) for each in self.overload if each.late) if self.overload[0].late else 0.0
        work = (
            f"overload, a forward of {1e3 * median(self.forward['heavy']):.1f} ms, {times:.1f} × its capacity "
            f"({rate:.0f} req/s) for {OVERLOAD:g} s: accepted p99"
        )
        shown = f"{1e3 * hard:.0f} ms = {hard / calm:.1f} × the {1e3 * calm:.0f} ms at 70 % load"
        yield figure(work, shown, "≤ 3 ×", hard <= 3 * calm)
        failures: dict[str, int] = defaultdict(int)
        for each in self.overload + self.light:
            for why, count in each.failed.items():
                failures[why] += count
        accepted, refusals = (
            sum(len(each.accepted) for each in self.overload),
            sum(len(each.refused) for each in self.overload),
        )
        shown = f"{sum(failures.values())} {dict(failures) if failures else ''}".strip()
        yield figure(f"the same: neither answered ({accepted}) nor 429/503 ({refusals})", shown, "0", not failures)
        yield figure(
            "the same: p99 of a refusal", f"{1e3 * refused:.1f} ms", "≤ 10 ms", refused <= 0.01 if refusals else None
        )
        yield figure("the same: p99 of how late the load itself was", f"{1e3 * late:.1f} ms", "", None)


def main() -> None:
    """Prints the tables as Markdown."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        benchmark = Benchmark(Path(home) / "home")
        benchmark.publish()
        for _ in range(RUNS):
            benchmark.round()
        sys.stdout.write(benchmark.table())


if __name__ == "__main__":
    main()

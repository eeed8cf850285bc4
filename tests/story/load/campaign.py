"""Mixed load on a service: its memory, descriptors and threads must not grow. `scripts/mixed-load` runs it.

The median over the last sixth of the time is compared with that over the third sixth: of 30 minutes, 25-30 with 10-15. Before
that, caches fill and libraries are loaded.
"""

import argparse
import secrets
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.harness.server import Server
from tests.story.load.clients import LoadClients

CLIENTS = 6
SECONDS_A_SAMPLE = 2.0
MOST_GROWTH = 8 * 2**20
MOST_MORE = 2  # descriptors, threads: connections come and go
MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """The resources of the service at some second of the load, and the trainer server's memory."""

    second: float
    rss: int
    private: int
    descriptors: int
    threads: int
    trainer: int


def run(home: Path, minutes: float, rate: float, seed: int) -> list[str]:
    """Returns the findings; empty if there are none."""
    with Server(home, slots=1, checkpoint_seconds=1) as server:
        clients = LoadClients(server.url, seed)
        clients.prepare()
        threads = [threading.Thread(target=clients.send_at, args=(rate / CLIENTS, number)) for number in range(CLIENTS)]
        for each in threads:
            each.start()
        try:
            samples = _watch(server, minutes * 60)
        finally:
            clients.over.set()
            for each in threads:
                each.join()
        status = server.stop()
    _report_answers(clients, minutes * 60)
    wrong = [*dict.fromkeys(clients.wrong), *_growth(samples, minutes * 60)]
    if status:
        wrong.append(f"SIGTERM ended it with status {status}")
    if "Traceback" in server.log():
        wrong.append(f"{server.log().count('Traceback')} tracebacks in its log")
    return wrong


def _watch(server: Server, seconds: float) -> list[Sample]:
    process, began, samples, next_report = psutil.Process(server.process.pid), time.monotonic(), [], 0.0
    while (second := time.monotonic() - began) < seconds:
        memory = process.memory_full_info()
        trainer = max((_rss(pid) for pid in server.children()), default=0)
        sample = Sample(second, memory.rss, memory.uss, process.num_fds(), process.num_threads(), trainer)
        samples.append(sample)
        if second >= next_report:
            print_line(
                f"{second / 60:5.1f} min  RSS {sample.rss / MIB:6.1f} MiB, of its own {sample.private / MIB:6.1f}, descriptors"
                f" {sample.descriptors}, threads {sample.threads}, trainer server {sample.trainer / MIB:6.1f} MiB"
            )
            next_report += seconds / 30
        time.sleep(SECONDS_A_SAMPLE)
    return samples


def _rss(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.NoSuchProcess:  # a process that read an upload or drew a plot
        return 0


def _growth(samples: list[Sample], seconds: float) -> list[str]:
    early = [each for each in samples if seconds / 3 <= each.second < seconds / 2]
    late = [each for each in samples if each.second >= seconds * 5 / 6]
    wrong = []
    print_line("\n| | third sixth | last sixth | growth | bound |\n|---|---|---|---|---|")
    for name, unit, most in (("rss", MIB, MOST_GROWTH), ("descriptors", 1, MOST_MORE), ("threads", 1, MOST_MORE)):
        before, after = (statistics.median(getattr(each, name) for each in part) for part in (early, late))
        row = f"{before / unit:.1f} | {after / unit:.1f} | {(after - before) / unit:+.1f} | {most / unit:.0f}"
        print_line(f"| {'RSS, MiB' if name == 'rss' else name} (median) | {row} |")
        if after - before > most:
            wrong.append(f"{name} has grown by {(after - before) / unit:.1f}")
    for name, words in (("private", "memory of its own, MiB"), ("trainer", "trainer server's RSS, MiB")):
        before, after = (statistics.median(getattr(each, name) for each in part) for part in (early, late))
        print_line(f"| {words} (median) | {before / MIB:.1f} | {after / MIB:.1f} | {(after - before) / MIB:+.1f} | |")
    return wrong


def _report_answers(clients: LoadClients, seconds: float) -> None:
    total = sum(clients.answers.values())
    print_line(
        f"\n{total} requests and small dialogues, {total / seconds:.1f} a second\n\n| what | answers |\n|---|---|"
    )
    for kind in dict.fromkeys(kind for kind, _ in clients.answers):
        found = sorted((status, count) for (each, status), count in clients.answers.items() if each == kind)
        print_line(f"| {kind} | {', '.join(f'{status}: {count}' for status, count in found)} |")


def print_line(text: str) -> None:
    """Prints without buffering: the output may be watched."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Returns exit status 0 when nothing has grown and every response was correct."""
    parser = argparse.ArgumentParser(prog="scripts/mixed-load", description="Uses a service of its own in every way.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=20, help="requests a second")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    given = parser.parse_args()
    print_line(f"{given.minutes:g} minutes, {given.rate:g} requests a second, seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="modelwright-load-") as folder:
        wrong = run(Path(folder) / "home", given.minutes, given.rate, given.seed)
    for each in wrong:
        print_line(f"FOUND: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Damage to files of every kind in a service's home: each response is as before or reports the damage, nothing else is
affected, and `store verify` finds damage in the store. `scripts/damage` runs it.

Most files are damaged while the service runs, without caches. The journal, which SQLite holds open, and the keys, which a
running service has in memory, are damaged before a start; a start that refuses them is a valid result as well.
"""

import argparse
import contextlib
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx

from model_store import Store
from service.access.keyring import Keyring
from tests.faults.damage.damages import Damage, draw
from tests.faults.damage.questions import DATASETS, Answer, addresses, answers, judge
from tests.harness.line import line
from tests.harness.server import Server
from tests.harness.until import until
from tests.story.chaos.recipes import table

# The kinds of files: how they are found, their share of the damage, and whether the service must be stopped.
KINDS: dict[str, tuple[str, int, bool]] = {
    "record": ("store/*/*/versions/*", 8, False),
    "log of a version": ("store/*/*/uses/*/*", 4, False),
    "alias": ("store/models/*/aliases/*/*", 8, False),
    "manifest": ("store/*/*/contents/*/manifest.json", 8, False),
    "file of a version": ("store/blobs/*", 22, False),
    "summary": ("store/models/*/contents/*/summaries/*", 3, False),
    "plot": ("cache/plots/*", 8, False),
    "audit log": ("audit/*", 3, False),
    "checkpoint": ("checkpoints/*/*", 3, False),
    "journal": ("journal.sqlite", 12, True),
    "journal's log": ("journal.sqlite-wal", 3, True),
    "keys": ("access/keys.json", 6, True),
    "home.json": ("home.json", 3, True),
}
OTHERS_ALIKE = 12
CHECK_EVERY = 20


class Campaign:
    """One service and its home."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home = home
        self.rng = random.Random(seed)  # noqa: S311 - no secret
        self.counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        self.findings: list[str] = []

    def run(self, count: int) -> None:
        """Inflicts that many damages."""
        key = self._prepare()
        drawn = self._drawn(count)
        with self._serving(key) as http:
            self.addresses = addresses(self.jobs)
            answers(http, self.addresses)  # draws the plots
            self.before = answers(http, self.addresses)
            for number, kind in enumerate(each for each in drawn if not KINDS[each][2]):
                self._damage_while_it_runs(kind, http)
                if number % CHECK_EVERY == CHECK_EVERY - 1:
                    self._expect_as_before(http)
        for kind in (each for each in drawn if KINDS[each][2]):
            self._damage_before_a_start(kind, key)
        with self._serving(key) as http:
            self._expect_as_before(http)

    def report(self) -> Iterator[str]:
        """The lines of a table."""
        columns = ["damages", "answers as before", "told", "start refused", "named by verify", "findings"]
        yield f"| kind of file | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}"
        for kind, counts in self.counts.items():
            if counts["damages"]:
                yield f"| {kind} | {' | '.join(str(counts[each]) for each in columns)} |"

    def _prepare(self) -> str:
        """Creates two models of two versions, two data sets, a job of every state, and a key."""
        with Server(self.home, slots=1, checkpoint_seconds=0.1) as server:
            http, client = server.http, server.client
            for dataset in DATASETS:
                client.upload_dataset(
                    dataset, table() if dataset == "houses" else b"price,x\n1,2\n2,3\n3,4\n", "text/csv"
                )
            data = {"kind": "dataset", "dataset": "houses", "target": "price"}
            learned = {"data": data, "model": {"kind": "mlp", "hidden": [8]}}
            jobs = []
            for seed in (1, 2):
                more = {"training": {"epochs": 20, "batch_size": 10, "seed": seed}}
                for spec in (line() | more, {**learned, **more, "model_name": "table"}):
                    jobs.append(client.train(spec)["id"])
            jobs.append(
                client.train({**line(), "optimizer": {"name": "SGD", "lr": 1e30}, "training": {"epochs": 500}})["id"]
            )
            self._wait(http, jobs)
            for model in ("line", "table"):
                for version in (2, 1):
                    http.put(f"/v1/models/{model}/aliases/production", json={"version": version})
            paused = client.train(line(10_000_000))["id"]
            until(lambda: list(self.home.glob("checkpoints/*/*.safetensors")))
            http.post(f"/v1/training-jobs/{paused}/pause")
            until(lambda: client.job(paused)["status"] == "paused")
            cancelled = client.train(line(10_000_000))["id"]
            http.post(f"/v1/training-jobs/{cancelled}/cancel")
            self._wait(http, [cancelled])
            self.jobs = [*jobs, paused, cancelled]
            assert server.stop() == 0
        return Keyring(self.home / "access").create_first() or ""

    def _wait(self, http: httpx.Client, jobs: list[str]) -> None:
        for job in jobs:
            while http.get(f"/v1/training-jobs/{job}?wait=60").json()["status"] in ("queued", "running"):
                pass

    def _drawn(self, count: int) -> list[str]:
        weights = {kind: weight for kind, (pattern, weight, _) in KINDS.items() if kind == "plot" or self._files(kind)}
        return self.rng.choices(list(weights), list(weights.values()), k=count)

    def _files(self, kind: str) -> list[Path]:
        return sorted(path for path in self.home.glob(KINDS[kind][0]) if path.is_file() and path.stat().st_size)

    @contextlib.contextmanager
    def _serving(self, key: str) -> Iterator[httpx.Client]:
        with _Keyed(self.home, key) as server:
            yield server.http
            server.stop()

    def _damage_while_it_runs(self, kind: str, http: httpx.Client) -> None:
        damage = self._draw(kind)
        damage.inflict()
        try:
            self._judge(kind, damage, answers(http, self.addresses))
            in_store = "store" in damage.path.relative_to(self.home).parts
            if in_store and kind != "summary":  # which the service has computed again meanwhile
                self._verify(kind, damage)
        finally:
            damage.mend()

    def _damage_before_a_start(self, kind: str, key: str) -> None:
        kept = {path: path.read_bytes() for path in self.home.glob("*") if path.is_file()}
        damage = self._draw(kind)
        damage.inflict()
        try:
            with self._serving(key) as http:
                self._judge(kind, damage, answers(http, self.addresses))
        except AssertionError as error:  # it did not start, and printed the reason
            self.counts[kind]["start refused"] += 1
            if "Traceback" in str(error):
                self._add_finding(kind, damage, f"it did not start, with a traceback: {str(error)[-600:]}")
        finally:
            for path in [*self.home.glob("journal.sqlite*")]:
                path.unlink()
            for path, data in kept.items():
                path.write_bytes(data)
            if kind == "keys":
                damage.mend()

    def _draw(self, kind: str) -> Damage:
        files = self._files(kind)
        alike = self.rng.sample(files, min(OTHERS_ALIKE, len(files)))
        self.counts[kind]["damages"] += 1
        return draw(self.rng.choice(files), alike, self.rng)

    def _judge(self, kind: str, damage: Damage, after: dict[str, Answer]) -> None:
        changed = {address: after[address] for address in self.addresses if after[address] != self.before[address]}
        self.counts[kind]["told" if changed else "answers as before"] += 1
        if kind == "keys" and {status for status, _ in changed.values()} == {401}:
            return  # the key of the request is the damaged one
        own, wrong = self._own(damage.path), []
        for address, answer in changed.items():
            if reason := judge(self.before[address], answer):
                wrong.append(f"{address}: {reason}")
            elif not any(each in address for each in own):
                wrong.append(f"{address} is hurt, too: {str(answer)[:200]}")
        if wrong:
            self._add_finding(kind, damage, f"{len(wrong)} answers, such as {wrong[0]}")

    def _own(self, path: Path) -> list[str]:
        """The responses in which damage to this file may show, lists included."""
        parts = path.relative_to(self.home).parts
        if parts[:2] == ("store", "blobs"):
            manifests = self.home.glob("store/*/*/contents/*/manifest.json")
            return [each for user in manifests if path.name in user.read_text() for each in self._own(user)]
        match parts[0]:
            case "store":
                return [f"/{parts[1]}/{parts[2]}", f"/v1/{parts[1]}", f"/v2/models/{parts[2]}"][
                    : 3 if parts[1] == "models" else 2
                ]
            case "journal.sqlite" | "journal.sqlite-wal":
                return ["/v1/training-jobs", "/metrics"]
            case "access":
                return ["/v1/keys"]
            case "audit":
                return ["/v1/audit"]
        return []

    def _verify(self, kind: str, damage: Damage) -> None:
        _, kind_of_file, name = damage.path.relative_to(self.home).parts[:3]
        faults = Store.open(self.home / "store").verify()
        if any(fault.name == name or kind_of_file == "blobs" for fault in faults):
            self.counts[kind]["named by verify"] += 1
        else:
            self._add_finding(kind, damage, f"verify does not name it: {faults}"[:500])

    def _expect_as_before(self, http: httpx.Client) -> None:
        after = answers(http, self.addresses)
        for address in self.addresses:
            if after[address] != self.before[address]:
                self.findings.append(f"with all files mended {address}: {judge(self.before[address], after[address])}")

    def _add_finding(self, kind: str, damage: Damage, what: str) -> None:
        self.counts[kind]["findings"] += 1
        finding = f"{kind}, {damage.way} of {damage.path.relative_to(self.home)}: {what}"
        self.findings.append(finding)
        print_line(f"FOUND: {finding}")


class _Keyed(Server):
    """A service with a key."""

    def __init__(self, home: Path, key: str) -> None:
        self._key = key
        super().__init__(home, slots=1, checkpoint_seconds=0.1)

    def reach(self) -> None:
        super().reach()
        self.http.headers["Authorization"] = f"Bearer {self._key}"


def print_line(text: str) -> None:
    """Prints without buffering."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Returns exit status 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="scripts/damage", description="Damages files of a service's home.")
    parser.add_argument("--damages", type=int, default=200)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    given = parser.parse_args()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="modelwright-damage-"))
    try:
        campaign = Campaign(folder / "home", given.seed)
        campaign.run(given.damages)
    finally:
        shutil.rmtree(folder)
    for row in campaign.report():
        print_line(row)
    for finding in campaign.findings:
        print_line(f"FOUND: {finding}")
    print_line(f"\nseed {given.seed}, {time.monotonic() - began:.0f} s")
    return 1 if campaign.findings else 0


if __name__ == "__main__":
    sys.exit(main())

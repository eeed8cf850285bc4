"""Chaos testing of a real service: its processes are killed again and again under load, and afterwards everything that it has
acknowledged is compared with its state. `scripts/chaos` runs it, `scripts/test` a short one.
"""

import argparse
import itertools
import random
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.harness.server import Server
from tests.story.chaos import oracle
from tests.story.chaos.clients import ClientThread, JobClient, ModelClient, TrainingClient, undisturbed
from tests.story.chaos.ledger import Ledger, Reference
from tests.story.chaos.moments import MOMENTS, wait_for
from tests.story.chaos.recipes import HOUSES, RECIPES, rows_for, table
from tests.story.chaos.site import Site
from tests.story.chaos.strikes import STRIKES, allowed_strike, recover

READY_WITHIN = 5.0  # seconds: the documented limit, on an idle machine
HARD_LIMIT = 120.0  # the same on a shared machine
TO_END = 900.0  # seconds in which all jobs have to end after the last strike


@dataclass
class CampaignSettings:
    """The parameters of a campaign. The same seed gives the same campaign, as far as clocks allow."""

    strikes: int
    seed: int
    seconds: float
    recipes: list[str]
    calm: float = 1.5  # mean seconds between two strikes: some must hit work in progress
    most_queued: int = 5  # queued jobs: enough for both slots, few enough to end soon after the last strike
    postgresql: str | None = None  # database URL of two services, one of which is struck at a time


@dataclass
class StrikeRecord:
    """The record of one strike."""

    kind: str
    moment: str
    ready: float


def run(home: Path, settings: CampaignSettings) -> Ledger:
    """Runs the whole campaign on this home; `findings` of the result is empty if nothing was lost or wrong."""
    ledger, rng = Ledger(), random.Random(settings.seed)  # noqa: S311 - no secret
    deadline = time.monotonic() + settings.seconds
    print_line(f"seed {settings.seed}")
    with ExitStack() as stack:
        site = _open_site(stack, home, settings, ledger)
        _train_undisturbed(site, settings.recipes)
        clients: list[ClientThread] = [
            TrainingClient(site, rng.getrandbits(32), 0.2, settings.recipes, settings.most_queued),
            ModelClient(site, rng.getrandbits(32), 0.1),
            JobClient(site, rng.getrandbits(32), 1),
        ]
        for client in clients:
            client.start()
        try:
            strike_records = _strike_all(site, settings, rng, deadline)
        finally:
            site.over = True
            site.open.set()
        for client in clients:
            client.join(oracle.PATIENCE)
            ledger.expect(not client.is_alive(), f"{client.name} still waits for an answer")
        print_line("every question is answered")
        oracle.all_ended(site, TO_END)
        print_line("every job has ended")
        oracle.judge(site)
        oracle.leaves_nothing(site)
    _report(strike_records, ledger, settings)
    return ledger


def _open_site(stack: ExitStack, home: Path, settings: CampaignSettings, ledger: Ledger) -> Site:
    if settings.postgresql is None:
        server = stack.enter_context(Server(home, spare=False, slots=2, checkpoint_seconds=0.2))
        return Site(server, ledger, beside=None, database=f"sqlite:///{home / 'journal.sqlite'}")
    one, other = (
        stack.enter_context(Server(home, log=log, slots=1, checkpoint_seconds=0.2, database_url=settings.postgresql))
        for log in (None, "other")
    )
    return Site(one, ledger, beside=other, database=settings.postgresql)


def _train_undisturbed(site: Site, recipes: list[str]) -> None:
    client = site.server.client
    client.upload_dataset(HOUSES, table(), "text/csv")
    jobs = {name: client.train(RECIPES[name] | {"model_name": undisturbed(name)})["id"] for name in recipes}
    for name, job_id in jobs.items():
        began = client.wait(job_id)["attempt"]
        site.ledger.expect(began == 1, f"the undisturbed {name} took {began} attempts")
        digest = client.manifest(undisturbed(name), 1)["files"]["state_dict.safetensors"]["sha256"]
        predictions = client.predict(undisturbed(name), rows_for(name), version=1)["predictions"]
        site.ledger.references[name] = Reference(digest, client.metrics(job_id), predictions)
    print_line(f"undisturbed: {', '.join(recipes)}")


def _strike_all(site: Site, settings: CampaignSettings, rng: random.Random, deadline: float) -> list[StrikeRecord]:
    began, strike_records = time.monotonic(), list[StrikeRecord]()
    for number, (kind, moment) in enumerate(itertools.islice(_strike_order(rng), settings.strikes), 1):
        if time.monotonic() > deadline:
            print_line(f"the time is over after {len(strike_records)} of {settings.strikes} strikes")
            break
        time.sleep(rng.expovariate(1 / settings.calm))
        site.choose(rng)
        moment = wait_for(moment, site, rng)
        kind = allowed_strike(kind, site)
        struck = time.monotonic() - began
        if not STRIKES[kind](site, rng):
            moment = "no target"
        strike_record = StrikeRecord(kind, moment, recover(site))
        site.ledger.expect(
            strike_record.ready <= HARD_LIMIT, f"strike {number}: ready again only after {strike_record.ready:.1f} s"
        )
        oracle.expect_all_jobs(site)
        strike_records.append(strike_record)
        print_line(f"{number:4} {struck:7.1f} s  {kind:16} at {moment:10} ready again in {strike_record.ready:5.2f} s")
    return strike_records


def _strike_order(rng: random.Random) -> itertools.chain[tuple[str, str]]:
    """All strikes and all moments, each in random order, repeated."""

    def shuffled(names: list[str]) -> list[str]:
        return rng.sample(names, len(names))

    kinds = itertools.chain.from_iterable(shuffled(list(STRIKES)) for _ in itertools.count())
    moments = itertools.chain.from_iterable(shuffled(list(MOMENTS)) for _ in itertools.count())
    return itertools.chain(zip(kinds, moments, strict=False))


def _report(strike_records: list[StrikeRecord], ledger: Ledger, settings: CampaignSettings) -> None:
    times = defaultdict(list)
    for strike_record in strike_records:
        times[strike_record.kind].append(strike_record.ready)
    print_line(f"\n{'strike':17} times   ready again: median   most")
    for kind, ready in sorted(times.items()):
        print_line(f"{kind:17} {len(ready):5} {statistics.median(ready):19.2f} {max(ready):6.2f} s")
    late = sum(strike_record.ready > READY_WITHIN for strike_record in strike_records)
    print_line(f"ready again within {READY_WITHIN:.0f} s: {len(strike_records) - late} of {len(strike_records)}\n")
    orders = ledger.acknowledged()
    again = sum(order.tries - 1 for order in orders)
    print_line(f"acknowledged jobs: {len(orders)}, POSTs that were repeated: {again}")
    print_line(", ".join(f"{what}: {count}" for what, count in sorted(ledger.counts.items()) if count))
    for finding in ledger.findings:
        print_line(f"FOUND: {finding}")
    print_line("no findings" if not ledger.findings else f"{len(ledger.findings)} findings; seed {settings.seed}")


def print_line(text: str) -> None:
    """Prints without buffering: the output may be watched or cut short."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Returns exit status 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description="Kills a service of its own again and again.")
    parser.add_argument("--strikes", type=int, default=30, help="how often it is struck (30)")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="a campaign to be tried again")
    parser.add_argument("--seconds", type=float, help="after which it is struck no more (60, and 20 for each strike)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="where its journal is")
    parser.add_argument("--keep", action="store_true", help="leave its home for a look, also when nothing was found")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="modelwright-chaos-"))
    seconds = given.seconds or 60 + 20 * given.strikes
    kept = True
    settings = CampaignSettings(given.strikes, given.seed, seconds, list(RECIPES))
    try:
        with ExitStack() as stack:
            if given.database == "postgresql":
                from tests.postgres import Postgres  # its driver is needed only here

                server = Postgres()
                stack.callback(server.stop)
                settings.postgresql = stack.enter_context(server.database(migrated=False))
            ledger = run(folder / "home", settings)
        kept = given.keep or bool(ledger.findings)
    finally:
        if kept:
            print_line(f"its home and log are in {folder}")
        else:
            shutil.rmtree(folder)
    return 1 if ledger.findings else 0


if __name__ == "__main__":
    sys.exit(main())

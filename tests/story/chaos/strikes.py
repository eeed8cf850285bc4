"""The kinds of strikes. They hit only processes that the campaign has started, each by its id."""

import contextlib
import random
import signal
import time
from collections.abc import Callable

import psutil

from tests.harness.until import until
from tests.story.chaos.site import Site

Strike = Callable[[Site, random.Random], bool]  # returns whether it has hit a process
FORGIVEN = 2  # crashes without a newer checkpoint before a job fails at the next one


def service(site: Site, rng: random.Random) -> bool:
    """SIGKILL to the service."""
    site.close()
    site.server.kill()
    return True


def service_twice(site: Site, rng: random.Random) -> bool:
    """SIGKILL, and again during its next start."""
    service(site, rng)
    site.launch()
    time.sleep(rng.uniform(0, 3))
    site.server.kill()
    return True


def stop(site: Site, rng: random.Random) -> bool:
    """SIGTERM, after which it must end with status 0."""
    site.stopping = True
    status = site.server.stop()
    site.close()
    site.ledger.expect(status == 0, f"SIGTERM ended it with status {status}")
    site.ledger.expect(not site.orphaned_jobs(), "a job is running though the service was stopped")
    for seq, attempt in site.orphaned_attempts():
        site.ledger.add_finding(f"attempt {attempt} of job {seq} has not ended though the service was stopped")
    return True


def trainer_server(site: Site, rng: random.Random) -> bool:
    """SIGKILL to the process that forks the trainers; they die with it."""
    server = site.trainer_server()
    return _kill([server] if server else [])


def trainer(site: Site, rng: random.Random) -> bool:
    """SIGKILL to one training."""
    return _kill(_one(site, rng))


def trainer_halted(site: Site, rng: random.Random) -> bool:
    """SIGSTOP to one training, then SIGKILL."""
    chosen = _one(site, rng)
    with contextlib.suppress(psutil.Error):
        for each in chosen:
            each.send_signal(signal.SIGSTOP)
            time.sleep(rng.uniform(0.1, 1))
    return _kill(chosen)


def trainer_and_service(site: Site, rng: random.Random) -> bool:
    """SIGKILL to a training, and to the service shortly before or after."""
    trainer(site, rng)
    time.sleep(rng.uniform(0, 0.3))
    return service(site, rng)


STRIKES: dict[str, Strike] = {
    "service": service,
    "trainer": trainer,
    "service, twice": service_twice,
    "trainer server": trainer_server,
    "stop": stop,
    "trainer, halted": trainer_halted,
    "trainer, service": trainer_and_service,
}
ON_TRAINERS = {"trainer", "trainer server", "trainer, halted"}


def allowed_strike(name: str, site: Site) -> str:
    """This strike, or one of the service where a job would correctly fail after three crashes in a row."""
    crashes = site.query("SELECT max(crashes) FROM jobs WHERE status IN ('running', 'queued')")[0][0] or 0
    return "service" if name in ON_TRAINERS and crashes >= FORGIVEN else name


def recover(site: Site) -> float:
    """Seconds until the service can predict, started again if necessary; by then no job belongs to a dead service."""
    gone = site.server.process.poll() is not None
    began = time.monotonic()
    if gone:
        site.launch()
        site.server.reach()
    else:
        until(site.server.client.ready)
    took = time.monotonic() - began
    site.reopen()
    if gone:
        orphans = _settled(lambda: not site.left_alive())
        site.ledger.expect(orphans, "processes have outlived their service")
        taken_over = _settled(lambda: not site.orphaned_jobs())
        site.ledger.expect(taken_over, "a job is running whose service is gone")
    return took


def _settled(reached: Callable[[], object], seconds: float = 120.0) -> bool:
    with contextlib.suppress(AssertionError):
        until(reached, seconds)
        return True
    return False


def _one(site: Site, rng: random.Random) -> list[psutil.Process]:
    trainers = site.trainers()
    return [rng.choice(trainers)] if trainers else []


def _kill(processes: list[psutil.Process]) -> bool:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
            return True
    return False

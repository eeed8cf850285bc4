"""A fault at every system call of every operation: SIGKILL, EIO, ENOSPC, and a disk that stays full from there on.
`scripts/crash-points` runs it.

After each fault a new process inspects the home: its state is that before the operation or that after it, and the latter if the
operation was acknowledged; its own check finds no damage; and if the state is that before, the operation can be repeated.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.faults.crash_points.operation import Operation
from tests.faults.crash_points.operations import OPERATIONS
from tests.faults.crash_points.points import (
    ACKNOWLEDGED,
    EIO,
    ENOSPC,
    FULL,
    KILL,
    REFUSED,
    Call,
    Outcome,
    in_a_process,
    run_with_fault,
)
from tests.faults.crash_points.points import calls as calls_of

COLUMNS = ["operation", "calls", KILL, EIO, ENOSPC, f"{FULL} from there on", "acknowledged"]
COLUMNS += ["as before", "as after", "between", "findings"]
AT_ONCE = 2


class Campaign:
    """All points of one operation, in separate folders."""

    def __init__(self, operation: Operation, folder: Path) -> None:
        self._operation = operation
        self._folder = folder
        self.counts: Counter[str] = Counter()
        self.findings: list[str] = []

    def run(self, every: int) -> str:
        """A row of the table. Every `every`-th point gets a fault."""
        template, done, before = (self._folder / each for each in ("template", "done", "before"))
        self._in(template, lambda: self._operation.prepare(template))
        self._copy(template, done)
        self._copy(template, before)  # reading the state may create files
        self._copy(template, self._folder / "loads")
        deque(self._operation.act(self._folder / "loads"), 0)  # so that traced processes import nothing
        calls = calls_of(self._operation, done)
        self._before, self._after = self._state(before), self._state(done)
        points = [(call, kind) for call in calls for kind in call.kinds()][::every]
        for number, (call, kind) in enumerate(points):
            self._strike(template, self._folder / f"home{number}", call, kind)
        figures = [self.counts[kind] for kind in (KILL, EIO, ENOSPC, FULL)]
        figures += [self.counts[each] for each in ("acknowledged", "as before", "as after", "between")]
        return f"| {self._operation.name} | {len(calls)} | {' | '.join(map(str, figures))} | {len(self.findings)} |"

    def _strike(self, template: Path, home: Path, call: Call, kind: str) -> None:
        self._copy(template, home)
        about = f"{self._operation.name}: {kind} at {call.name} {call.number} ({call.text[:160]})"
        try:
            outcome = run_with_fault(self._operation, home, call, kind)
            self.counts[kind] += 1
            findings = self._judge(home, outcome, kind)
        except Exception as error:
            findings = [f"the campaign met {error!r}"]
        self.findings += [f"{about}: {each}" for each in findings]
        if findings:
            sys.stderr.write("".join(f"{about}: {each}\n" for each in findings))
        for path in self._folder.glob(f"{home.name}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _judge(self, home: Path, outcome: Outcome, kind: str) -> list[str]:
        found = []
        if not outcome.hit:
            found.append("the fault was not met: the calls are not the same each time")
        if outcome.status not in (ACKNOWLEDGED, REFUSED) and not (kind == KILL and outcome.status < 0):
            found.append(f"it ended with {outcome.status}: {outcome.message[-600:]}")
        state, faults = self._in(home, lambda: (self._operation.kind.state(home), self._operation.kind.faults(home)))
        found += faults
        if state == self._after:
            self.counts["as after"] += 1
        elif state == self._before:
            self.counts["as before"] += 1
        elif self._operation.steps:
            self.counts["between"] += 1
        else:
            found.append(f"neither as before nor as after: {state}, which is not {self._before} nor {self._after}")
        if outcome.status == ACKNOWLEDGED:
            self.counts["acknowledged"] += 1
            if state != self._after:
                found.append(f"acknowledged, and not done: {state}, which is not {self._after}")
        if state != self._after or self._operation.repeats:
            found += self._again(home)
        return found

    def _again(self, home: Path) -> list[str]:
        def act() -> str:
            work = self._operation.act(home)
            next(work)
            with contextlib.suppress(*self._operation.ended):
                next(work, None)
            return ""

        self._in(home, act)
        state, faults = self._in(home, lambda: (self._operation.kind.state(home), self._operation.kind.faults(home)))
        if state != self._after:
            faults.append(f"done again, it is {state}, and not {self._after}")
        return [f"done again: {each}" for each in faults]

    def _state(self, home: Path) -> Any:
        return self._in(home, lambda: self._operation.kind.state(home))

    def _in(self, home: Path, work: Any) -> Any:
        return in_a_process(work, home.with_suffix(".error"))

    def _copy(self, template: Path, home: Path) -> None:
        shutil.copytree(template, home, symlinks=True) if template.exists() else None


def strike(operation: Operation, every: int) -> int:
    """Tests one operation in this process, which has imported only what operations need."""
    memory = Path("/dev/shm")  # noqa: S108 - homes in a private folder
    with tempfile.TemporaryDirectory(
        prefix="crash-points-", dir=memory if os.access(memory, os.W_OK) else None
    ) as folder:
        campaign = Campaign(operation, Path(folder))
        sys.stdout.write(f"{campaign.run(every)}\n")
    return 1 if campaign.findings else 0


def main() -> int:
    """Returns exit status 0 when no fault broke anything."""
    parser = argparse.ArgumentParser(
        prog="scripts/crash-points", description="Strikes each system call of each operation."
    )
    parser.add_argument("--operations", nargs="+", choices=list(OPERATIONS), default=list(OPERATIONS), metavar="NAME")
    parser.add_argument("--every", type=int, default=1, help="of all points only each so-many-th (1)")
    parser.add_argument("--seconds", type=float, default=7200, help="after which no further operation is begun (7200)")
    parser.add_argument("--list", action="store_true", help="only tell the operations")
    given = parser.parse_args()
    if given.list:
        sys.stdout.write("\n".join(OPERATIONS) + "\n")
        return 0
    if shutil.which("strace") is None:
        sys.stderr.write("strace is not there; the package of that name has it (apt-get install strace)\n")
        return 2
    if len(given.operations) == 1:
        return strike(OPERATIONS[given.operations[0]], given.every)
    sys.stdout.write(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n")
    began = time.monotonic()
    statuses = []

    def one(name: str) -> int | None:
        if time.monotonic() - began > given.seconds:
            sys.stdout.write(f"| {name} | not struck: the time was over |\n")
            return 1
        command = [sys.executable, "-m", __spec__.name, "--operations", name, "--every", str(given.every)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        sys.stdout.write(done.stdout or f"| {name} | it could not be struck |\n")
        sys.stdout.flush()
        sys.stderr.write(done.stderr)
        return done.returncode

    with ThreadPoolExecutor(AT_ONCE) as threads:
        statuses = list(threads.map(one, given.operations))
    sys.stdout.write(f"\n{time.monotonic() - began:.0f} s\n")
    return max(filter(None, statuses), default=0)


if __name__ == "__main__":
    sys.exit(main())

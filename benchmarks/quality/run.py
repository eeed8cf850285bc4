"""Runs methods on tables: `python -m benchmarks.quality.run SPLIT METHOD[,METHOD] [TABLE,TABLE] [--code FOLDER --as NAME]`.

Methods are those of `ours.py` (in our environment) or `peers.py` (in theirs); without tables, all of the list. What is in the
cache already is left out. Each run is a forked process with one thread and a limit of 15 minutes of CPU time. `--code` measures
the service of another checkout, under the method's name `--as`. `--until` is a time in seconds since 1970 from which no run
begins.
"""

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import time
import warnings
from multiprocessing.connection import Connection
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported

import numpy as np  # noqa: E402

from benchmarks.quality import cache  # noqa: E402
from benchmarks.quality.scores import scores  # noqa: E402
from benchmarks.quality.tables import listed  # noqa: E402

LIMIT_S = 900  # of CPU time: on a busy machine a clock would say little


def main() -> None:
    """Runs what is not in the cache."""
    given = _arguments()
    if given.code:
        sys.path.insert(0, given.code)
    tables = given.tables.split(",") if given.tables else [each["table"] for each in listed()]
    done = cache.results()
    for method in given.methods.split(","):
        if method == "ours-max" and not _takes_effort():
            sys.stderr.write("the spec has no `effort`: ours-max is left out\n")
            continue
        name = given.name or method
        for table in tables:
            if (table, given.split, name) not in done and time.time() < given.until:
                line = {"table": table, "split": given.split, "method": name}
                line |= _limited(method, name, table, given.split)
                line |= {"code": _commit(given.code or ".")} if method.startswith("ours") else {}
                cache.record(line)
                sys.stderr.write(f"{line}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split", type=int)
    parser.add_argument("methods")
    parser.add_argument("tables", nargs="?")
    parser.add_argument("--code")
    parser.add_argument("--as", dest="name")
    parser.add_argument("--until", type=float, default=float("inf"))
    return parser.parse_args()


def _takes_effort() -> bool:
    from service.workflow.spec import TrainingSpec

    return "effort" in TrainingSpec.model_fields


def _commit(folder: str) -> str:
    """The last commit of a checkout's service, with `+` if files differ from it."""
    git = ["git", "-C", folder]
    commit = subprocess.check_output([*git, "log", "-1", "--format=%h", "--abbrev=8", "--", "service"], text=True)  # noqa: S603
    return commit.strip() + "+" * bool(subprocess.check_output([*git, "status", "--porcelain", "service"]))  # noqa: S603


def _limited(method: str, name: str, table: str, split: int) -> dict[str, Any]:
    """The figures of a run in a process of its own, or why there are none."""
    fit = _fit(method)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(theirs, fit, method, name, table, split))
    child.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv()
    except EOFError:
        child.join()  # with status -9 beyond the limit
        found = {"failed": f"the process ended with status {child.exitcode}"}
    child.join()
    return found


def _fit(method: str) -> Any:
    """The module's function. It is imported here, so that the child processes have it already."""
    if method.startswith("ours"):
        from benchmarks.quality import ours

        return ours.fit
    from benchmarks.quality import peers

    return peers.fit


def _run(answer: Connection, fit: Any, method: str, name: str, table: str, split: int) -> None:
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))
    try:
        predictions, figures = fit(method, table, split)
        figures |= scores(cache.about(table)["task"], np.load(cache.split_file(table, split))["truth"], predictions)
    except Exception as error:  # whatever a method raises is its result
        answer.send({"failed": f"{type(error).__name__}: {error}"[:500]})
        return
    file = cache.predictions_file(table, split, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, answers=predictions.astype(np.float32))
    answer.send(figures)


if __name__ == "__main__":
    main()

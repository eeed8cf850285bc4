"""Small pieces of work for real attempts in real processes."""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from service.jobs.attempt import Attempt
from service.jobs.errors import AttemptFailed, AttemptLeft, AttemptPutOff


def work(attempt: Attempt) -> dict[str, Any]:
    """Does what the job's spec says under `do`."""
    done: dict[str, Any] = globals()[attempt.job["spec"]["do"]](attempt)
    return done


def quick(attempt: Attempt) -> dict[str, Any]:
    """Three epochs, a message, and a result that tells about the process."""
    attempt.expect(3, 10)
    for epoch in (1, 2, 3):
        attempt.epoch(epoch, {"train_loss": 1 / epoch})
    attempt.message("nearly there")
    attempt.ask_to_publish()
    return {"attempt": attempt.job["attempt"], "pid": os.getpid(), "nice": os.nice(0), "told": attempt.job["told"]}


def slow(attempt: Attempt) -> dict[str, Any]:
    """Says where it runs, and would run for a minute."""
    attempt.message(str(os.getpid()))
    time.sleep(60)
    return {}


def silent(attempt: Attempt) -> dict[str, Any]:
    """Says nothing for as long as there is a file of the name that it was given."""
    while Path(attempt.job["spec"]["while"]).exists():
        time.sleep(0.01)
    return {}


def publishing(attempt: Attempt) -> dict[str, Any]:
    """Stands between the permission to publish and the end until its file is gone."""
    attempt.ask_to_publish()
    attempt.message("publishing")
    return silent(attempt)


def dies(attempt: Attempt) -> dict[str, Any]:
    """Is killed while it works."""
    attempt.expect(3, 10)
    attempt.epoch(1, {"train_loss": 1.0})
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def dies_once(attempt: Attempt) -> dict[str, Any]:
    """Is killed in its first attempt, and works in the second."""
    return dies(attempt) if attempt.job["attempt"] == 1 else quick(attempt)


def raises(attempt: Attempt) -> dict[str, Any]:
    """Meets an error of the software."""
    raise ValueError(attempt.job["id"])


def fails(attempt: Attempt) -> dict[str, Any]:
    """Fails for a reason of its own, after an epoch that was not reported yet."""
    attempt.expect(9, 10)
    attempt.epoch(1, {"train_loss": 1.0})
    attempt.epoch(2, {"train_loss": float("nan")})
    raise AttemptFailed("training_diverged", "the loss became NaN in epoch 2")


def prints(attempt: Attempt) -> dict[str, Any]:
    """Says a lot where it should not."""
    for _ in range(2000):
        print("x" * 100)  # noqa: T201 - what is tested
        print("y" * 100, file=sys.stderr)  # noqa: T201 - what is tested
    return {"printed": True}


def exits(attempt: Attempt) -> dict[str, Any]:
    """Ends its process in the middle of things."""
    sys.exit(3)


def large(attempt: Attempt) -> dict[str, Any]:
    """Tells how much it was given, by a message of the same length and by its result."""
    attempt.message("z" * len(attempt.job["spec"]["rows"]))
    return {"length": len(attempt.job["spec"]["rows"])}


def talks_nonsense(attempt: Attempt) -> dict[str, Any]:
    """Reports what no journal can keep, and asks to publish all the same."""
    attempt.saved("nothing")  # type: ignore[arg-type]
    attempt.ask_to_publish()
    return {}


def many(attempt: Attempt) -> dict[str, Any]:
    """More epochs than fit in one report; tells how many seconds they took."""
    began = time.monotonic()
    attempt.expect(300, 10)
    for epoch in range(1, 301):
        attempt.epoch(epoch, {"train_loss": 1 / epoch})
        time.sleep(0.001)
    return {"seconds": time.monotonic() - began}


def leaves(attempt: Attempt) -> dict[str, Any]:
    """Works in its first attempt until it is asked to leave; the second is short."""
    if attempt.job["attempt"] > 1:
        return {"came back": True}
    attempt.message("here")
    while not attempt.asked_to_leave():
        time.sleep(0.01)
    attempt.saved(1)
    raise AttemptLeft


def swells(attempt: Attempt) -> dict[str, Any]:
    """Takes more and more memory, and really uses it; but never so much that the machine would suffer."""
    taken: list[bytes] = []
    while True:
        if len(taken) < 48:
            taken.append(bytes(range(256)) * (16 * 2**12))
        time.sleep(0.005)


def saves_and_dies_once(attempt: Attempt) -> dict[str, Any]:
    """Leaves a checkpoint in its first attempt, and tells in the second what it has found."""
    folder = Path(attempt.job["checkpoints"])
    if attempt.job["attempt"] == 1:
        folder.mkdir(parents=True)
        (folder / "there").touch()
        attempt.saved(1)
        os.kill(os.getpid(), signal.SIGKILL)
    return {"found": [path.name for path in folder.iterdir()]}


def talks(attempt: Attempt) -> dict[str, Any]:
    """Says a lot in a short time: each a report and a line."""
    attempt.expect(60, 10)
    for epoch in range(1, 61):
        attempt.epoch(epoch, {"train_loss": 1 / epoch})
        attempt.flush()
        attempt.message(f"epoch {epoch}")
    return {}


def saves_and_is_put_off_once(attempt: Attempt) -> dict[str, Any]:
    """Leaves a checkpoint in its first attempt, which a failure of something else ends; the second tells what it finds."""
    folder = Path(attempt.job["checkpoints"])
    if attempt.job["attempt"] == 1:
        folder.mkdir(parents=True)
        (folder / "there").touch()
        attempt.saved(1)
        raise AttemptPutOff("unavailable", "not now")
    return {"found": [path.name for path in folder.iterdir()]}


def forks_a_child_that_stays(attempt: Attempt) -> dict[str, Any]:
    """Leaves a process behind that holds all that the attempt has open, in a session of its own where that is asked for;
    then goes on, or ends."""
    if (pid := os.fork()) == 0:
        if attempt.job["spec"].get("hides"):
            os.setsid()
            if os.fork():
                os._exit(0)
        attempt.message(str(os.getpid()))
        signal.pause()
        os._exit(0)
    if attempt.job["spec"].get("hides"):
        os.waitpid(pid, 0)
    if attempt.job["spec"].get("goes_on"):
        signal.pause()
    return {"left behind": pid}


def swells_below(attempt: Attempt) -> dict[str, Any]:
    """Takes memory in a child only."""
    if os.fork() == 0:
        swells(attempt)
    signal.pause()
    return {}


def kills_the_trainer_server(attempt: Attempt) -> dict[str, Any]:
    """What nothing should do, once somebody else is there to suffer from it."""
    beside = Path(attempt.job["spec"]["beside"])
    while attempt.job["attempt"] <= 2 and not beside.exists():
        time.sleep(0.01)
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()
    return {}


def innocent(attempt: Attempt) -> dict[str, Any]:
    """Says by a file that it is there; ends only where nobody kills it for a while."""
    beside = Path(attempt.job["spec"]["beside"])
    beside.touch()
    try:
        time.sleep(1.0)
    finally:
        beside.unlink(missing_ok=True)
    return {}


def stops_the_trainer_server(attempt: Attempt) -> dict[str, Any]:
    """Lets it stand still in the first attempt."""
    if attempt.job["attempt"] == 1:
        os.kill(os.getppid(), signal.SIGSTOP)
        attempt.message("stopped")
        signal.pause()
    return {}


def tells_its_environment(attempt: Attempt) -> dict[str, Any]:
    """All that it finds in its own environment and in that of the trainer server."""
    told = [Path(f"/proc/{pid}/environ").read_bytes().decode() for pid in (os.getpid(), os.getppid())]
    return {"environment": "".join(told) + repr(dict(os.environ))}


def leaves_a_file(attempt: Attempt) -> dict[str, Any]:
    """Leaves a temporary file behind, and tells where."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        return {"file": file.name, "told": os.environ["TMPDIR"]}


def holds_files_once(attempt: Attempt) -> dict[str, Any]:
    """Takes two megabytes of disk in its first attempt, in a file with or without a name, and goes on."""
    if attempt.job["attempt"] == 1:
        with (
            tempfile.NamedTemporaryFile(delete=False)
            if attempt.job["spec"]["named"]
            else tempfile.TemporaryFile() as file
        ):
            file.write(b"x" * 2**21)
            file.flush()
            time.sleep(600)
    return {}

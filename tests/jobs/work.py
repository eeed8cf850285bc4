"""Small functions that real attempts run in real processes."""

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
    """Run the function that the job's spec names in `do`."""
    done: dict[str, Any] = globals()[attempt.job["spec"]["do"]](attempt)
    return done


def quick(attempt: Attempt) -> dict[str, Any]:
    """Three epochs, a message, and a result about the process."""
    attempt.expect(3, 10)
    for epoch in (1, 2, 3):
        attempt.epoch(epoch, {"train_loss": 1 / epoch})
    attempt.message("nearly there")
    attempt.publish({}, [])
    return {
        "attempt": attempt.job["attempt"],
        "pid": os.getpid(),
        "nice": os.nice(0),
        "setting": attempt.job["setting"],
    }


def slow(attempt: Attempt) -> dict[str, Any]:
    """Send the pid, then sleep for a minute."""
    attempt.message(str(os.getpid()))
    time.sleep(60)
    return {}


def silent(attempt: Attempt) -> dict[str, Any]:
    """Send nothing while the file `while` exists."""
    while Path(attempt.job["spec"]["while"]).exists():
        time.sleep(0.01)
    return {}


def publishing(attempt: Attempt) -> dict[str, Any]:
    """Publish, then wait while the file `while` exists."""
    attempt.publish({}, [])
    attempt.message("publishing")
    return silent(attempt)


def publishes_slowly(attempt: Attempt) -> dict[str, Any]:
    """Publish a file of its folder, and return the answer."""
    (Path(attempt.job["folder"]) / "weights").write_text("weights")
    attempt.message(str(os.getpid()))
    return attempt.publish({"format": 1}, ["weights"])


def fetches(attempt: Attempt) -> dict[str, Any]:
    """Send the pid, and return what was fetched."""
    attempt.message(str(os.getpid()))
    return attempt.fetch()


def dies(attempt: Attempt) -> dict[str, Any]:
    """Get killed during training."""
    attempt.expect(3, 10)
    attempt.epoch(1, {"train_loss": 1.0})
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def dies_once(attempt: Attempt) -> dict[str, Any]:
    """Get killed in the first attempt, succeed in the second."""
    return dies(attempt) if attempt.job["attempt"] == 1 else quick(attempt)


def raises(attempt: Attempt) -> dict[str, Any]:
    """Raise an unexpected error."""
    raise ValueError(attempt.job["id"])


def fails(attempt: Attempt) -> dict[str, Any]:
    """Fail with a code, after an epoch that was not reported yet."""
    attempt.expect(9, 10)
    attempt.epoch(1, {"train_loss": 1.0})
    attempt.epoch(2, {"train_loss": float("nan")})
    raise AttemptFailed("training_diverged", "the loss became NaN in epoch 2")


def prints(attempt: Attempt) -> dict[str, Any]:
    """Print a lot."""
    for _ in range(2000):
        print("x" * 100)  # noqa: T201 - what is tested
        print("y" * 100, file=sys.stderr)  # noqa: T201 - what is tested
    return {"printed": True}


def exits(attempt: Attempt) -> dict[str, Any]:
    """Exit without a result."""
    sys.exit(3)


def large(attempt: Attempt) -> dict[str, Any]:
    """Send a message as long as `rows`, and return the length."""
    attempt.message("z" * len(attempt.job["spec"]["rows"]))
    return {"length": len(attempt.job["spec"]["rows"])}


def sends_an_invalid_message(attempt: Attempt) -> dict[str, Any]:
    """Send a message that cannot be stored, then ask to publish."""
    attempt.saved("nothing")  # type: ignore[arg-type]
    attempt.publish({}, [])
    return {}


def many(attempt: Attempt) -> dict[str, Any]:
    """Send more epochs than fit in one report, and return the seconds that they took."""
    began = time.monotonic()
    attempt.expect(300, 10)
    for epoch in range(1, 301):
        attempt.epoch(epoch, {"train_loss": 1 / epoch})
        time.sleep(0.001)
    return {"seconds": time.monotonic() - began}


def ends_on_request(attempt: Attempt) -> dict[str, Any]:
    """Run in the first attempt until requested to end; succeed in the second."""
    if attempt.job["attempt"] > 1:
        return {"resumed": True}
    attempt.message("here")
    while not attempt.asked_to_leave():
        time.sleep(0.01)
    attempt.saved(1)
    raise AttemptLeft


def allocates_memory(attempt: Attempt) -> dict[str, Any]:
    """Allocate and use more and more memory, up to a size that the machine can bear."""
    taken: list[bytes] = []
    while True:
        if len(taken) < 48:
            taken.append(bytes(range(256)) * (16 * 2**12))
        time.sleep(0.005)


def saves_and_dies_once(attempt: Attempt) -> dict[str, Any]:
    """Write a checkpoint and get killed in the first attempt; return what is found in the second."""
    folder = Path(attempt.job["checkpoints"])
    if attempt.job["attempt"] == 1:
        folder.mkdir(parents=True)
        (folder / "there").touch()
        attempt.saved(1)
        os.kill(os.getpid(), signal.SIGKILL)
    return {"found": [path.name for path in folder.iterdir()]}


def reports_much(attempt: Attempt) -> dict[str, Any]:
    """Send many reports and messages in a short time."""
    attempt.expect(60, 10)
    for epoch in range(1, 61):
        attempt.epoch(epoch, {"train_loss": 1 / epoch})
        attempt.flush()
        attempt.message(f"epoch {epoch}")
    return {}


def saves_and_is_put_off_once(attempt: Attempt) -> dict[str, Any]:
    """Write a checkpoint and get postponed in the first attempt; return what is found in the second."""
    folder = Path(attempt.job["checkpoints"])
    if attempt.job["attempt"] == 1:
        folder.mkdir(parents=True)
        (folder / "there").touch()
        attempt.saved(1)
        raise AttemptPutOff("unavailable", "not now")
    return {"found": [path.name for path in folder.iterdir()]}


def forks_a_child_that_stays(attempt: Attempt) -> dict[str, Any]:
    """Leave a child process that inherits all open descriptors, in a session of its own if `hides`; then continue if
    `goes_on`, or end."""
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


def allocates_memory_in_a_child(attempt: Attempt) -> dict[str, Any]:
    """Allocate memory in a child process only."""
    if os.fork() == 0:
        allocates_memory(attempt)
    signal.pause()
    return {}


def kills_the_trainer_server(attempt: Attempt) -> dict[str, Any]:
    """Kill the trainer server once another attempt runs beside this one."""
    beside = Path(attempt.job["spec"]["beside"])
    while attempt.job["attempt"] <= 2 and not beside.exists():
        time.sleep(0.01)
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()
    return {}


def bystander(attempt: Attempt) -> dict[str, Any]:
    """Create the file `beside`, and end if not killed within a second."""
    beside = Path(attempt.job["spec"]["beside"])
    beside.touch()
    try:
        time.sleep(1.0)
    finally:
        beside.unlink(missing_ok=True)
    return {}


def stops_the_trainer_server(attempt: Attempt) -> dict[str, Any]:
    """Stop the trainer server in the first attempt."""
    if attempt.job["attempt"] == 1:
        os.kill(os.getppid(), signal.SIGSTOP)
        attempt.message("stopped")
        signal.pause()
    return {}


def returns_its_environment(attempt: Attempt) -> dict[str, Any]:
    """Return its environment and that of the trainer server."""
    environments = [Path(f"/proc/{pid}/environ").read_bytes().decode() for pid in (os.getpid(), os.getppid())]
    return {"environment": "".join(environments) + repr(dict(os.environ))}


def leaves_a_file(attempt: Attempt) -> dict[str, Any]:
    """Leave a temporary file, and return its path."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        return {"file": file.name, "temporary": os.environ["TMPDIR"]}


def holds_files_once(attempt: Attempt) -> dict[str, Any]:
    """Fill two megabytes of disk in the first attempt, in a file with or without a name, and sleep."""
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

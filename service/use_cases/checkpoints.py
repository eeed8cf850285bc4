"""When an attempt saves a checkpoint, and how the next one resumes from it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from model_store.durable_files import sync
from service.jobs.attempt import Attempt
from service.jobs.errors import AttemptLeft
from service.use_cases.storage_failures import put_off_storage_errors
from service.workflow.checkpoint_folder import CheckpointFolder
from service.workflow.errors import CheckpointUnfit
from service.workflow.history import History
from service.workflow.state import State

T = TypeVar("T")

FORMAT = 1  # raised when older states would be misread
BETWEEN_LOOKS = 0.05  # seconds between two checks of the clock and of the channel: longer than most steps take
FIRST_SECONDS = 1.0  # between the first and the second checkpoint of an attempt that saves soon; then doubled
SHARE = 19  # a save that took a second is followed by 19 without one: at most 5 % of the time


class AttemptCheckpoints:
    """The checkpoints of one attempt: the training's state, its history, the number of threads and the seconds that it took.
    A job without a folder has none."""

    def __init__(self, attempt: Attempt, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.history = History()
        folder = attempt.job.get("checkpoints")
        self._folder = None if folder is None else CheckpointFolder(Path(folder), sync)
        self._interval: float = attempt.job.get("checkpoint_seconds", 0.0)
        self._soon = 0.0 if attempt.job.get("saves_soon") else self._interval  # seconds to the next one
        self._attempt = attempt
        self._clock = clock
        self._before = 0.0
        self._failed = False  # whether the last one could not be saved
        self._began = clock()
        self._look_at = self._began + BETWEEN_LOOKS
        self._save_at = self._began + min(self._soon, self._interval)

    @property
    def seconds(self) -> float:
        """How long the training has taken, in this attempt and those that it resumes."""
        return self._before + self._clock() - self._began

    def resume(self) -> State | None:
        """The training's state to resume from, None to start from scratch. Also restores the history and the number of threads,
        on which the bits of a result depend."""
        if self._folder is None:
            return None
        found = self._folder.load()
        if found.damaged:
            self._attempt.message(f"damaged checkpoints passed over: {found.damaged}")
        saved = found.state
        if saved is None:
            return None
        if (saved.get("format"), saved.get("torch")) != (FORMAT, str(torch.__version__)):
            self._attempt.message("the checkpoint is of another version of the software; the training starts anew")
            return None
        torch.set_num_threads(saved["threads"])
        self._before = saved["seconds"]
        self.history.load(saved["history"])
        self._attempt.message(f"continues after epoch {self.history.epochs}")
        training: State = saved["training"]
        return training

    def resumed(self, go_on: Callable[[State | None], T]) -> T:
        """What `go_on` returns for the training's state; for None if it finds that the state is not of this training.

        Raises:
            AttemptPutOff: the state cannot be read now.
        """
        with put_off_storage_errors("its checkpoints cannot be read"):
            saved = self.resume()
        try:
            return go_on(saved)
        except CheckpointUnfit:
            self.forget()
            return go_on(None)

    def forget(self) -> None:
        """Starts from scratch: the state did not fit."""
        self._attempt.message("the checkpoint is not of this training, which starts anew")
        torch.set_num_threads(self._attempt.job["threads"])
        self.history = History()
        self._before = 0.0

    def after_step(self, make: Callable[[], State]) -> None:
        """Called after every step; saves the state that `make` returns when it is time.

        Raises:
            AttemptLeft: the runner has requested it; the state is saved, if it could be.
        """
        if (now := self._clock()) < self._look_at:
            return
        self._look_at = now + BETWEEN_LOOKS
        if self._folder is None:
            return
        leaves = self._attempt.asked_to_leave()
        if leaves or now >= self._save_at:
            self._save(self._folder, make)
        if leaves:
            raise AttemptLeft

    def _save(self, folder: CheckpointFolder, make: Callable[[], State]) -> None:
        began = self._clock()
        self._attempt.flush()  # the epochs that are part of this state
        state = {
            "format": FORMAT,
            "torch": str(torch.__version__),
            "threads": torch.get_num_threads(),
            "seconds": self.seconds,
            "history": self.history.state(),
            "training": make(),
        }
        try:
            folder.save(state)
        except OSError as error:  # the disk may recover before the next one
            if not self._failed:
                self._attempt.message(f"a checkpoint could not be saved: {error.strerror or 'a disk failed'}")
            self._failed = True
        else:
            self._failed = False
            self._attempt.saved(self.history.epochs)
        ended = self._clock()
        self._soon = min(max(2 * self._soon, FIRST_SECONDS), self._interval)
        self._save_at = ended + max(self._soon, SHARE * (ended - began))

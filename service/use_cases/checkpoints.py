"""Checkpoints: when a training saves where it stands, and how it goes on from there in another attempt."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from service.jobs.attempt import Attempt
from service.jobs.errors import AttemptLeft
from service.workflow import checkpoint
from service.workflow.history import History
from service.workflow.state import State

FORMAT = 1  # to be raised when a state of before would be misread
BETWEEN_LOOKS = 0.05  # seconds between looks at whether there is something to do: far more than most steps take
FIRST_SECONDS = 1.0  # between the first and the second of an attempt that saves soon; doubled up to the usual
SHARE = 19  # a save that took a second is followed by 19 without one: at most 5 % of the time


class AttemptCheckpoints:
    """The checkpoints of one attempt. Besides the training's own state they hold the history, the number of threads and the
    seconds. A job without a folder for them has none."""

    def __init__(self, attempt: Attempt, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.history = History()
        folder = attempt.job.get("checkpoints")
        self._folder = None if folder is None else checkpoint.Checkpoints(Path(folder))
        self._interval: float = attempt.job.get("checkpoint_seconds", 0.0)
        self._soon = 0.0 if attempt.job.get("saves_soon") else self._interval  # seconds to the next one; rises
        self._attempt = attempt
        self._clock = clock
        self._before = 0.0
        self._troubled = False  # whether the last one could not be saved
        self._began = clock()
        self._look_at = self._began + BETWEEN_LOOKS
        self._save_at = self._began + min(self._soon, self._interval)

    @property
    def seconds(self) -> float:
        """How long the training has taken, in this attempt and those it goes on from."""
        return self._before + self._clock() - self._began

    def resume(self) -> State | None:
        """The state of the training from which this attempt goes on; None when it begins anew. With it come the history,
        and the number of threads, on which the bits of a result depend."""
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
        self._attempt.message(f"goes on after epoch {self.history.epochs}")
        training: State = saved["training"]
        return training

    def forget(self) -> None:
        """The state did not fit: begins anew."""
        self._attempt.message("the checkpoint is not of this training, which starts anew")
        torch.set_num_threads(self._attempt.job["threads"])
        self.history = History()
        self._before = 0.0

    def after_step(self, make: Callable[[], State]) -> None:
        """To be called after every step, with what makes the training's state: saves it when it is time.

        Raises:
            AttemptLeft: it was asked to leave; everything is saved that could be.
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

    def _save(self, folder: checkpoint.Checkpoints, make: Callable[[], State]) -> None:
        began = self._clock()
        self._attempt.flush()  # the epochs that this state has behind it
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
        except OSError as error:  # the disk may be well again before the next one
            if not self._troubled:
                self._attempt.message(f"a checkpoint could not be saved: {error.strerror or 'a disk failed'}")
            self._troubled = True
        else:
            self._troubled = False
            self._attempt.saved(self.history.epochs)
        ended = self._clock()
        self._soon = min(max(2 * self._soon, FIRST_SECONDS), self._interval)
        self._save_at = ended + max(self._soon, SHARE * (ended - began))

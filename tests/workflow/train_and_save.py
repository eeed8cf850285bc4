"""A training to be killed: `python -m tests.workflow.train_and_save CHECKPOINTS RESULT` resumes from the newest checkpoint
of the folder, saves every few milliseconds, and finally writes its state_dict and the first epoch, 0 without a checkpoint."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from model_store.durable_files import sync
from service.workflow.checkpoint_folder import CheckpointFolder
from service.workflow.save_and_load import save
from service.workflow.state import State
from tests.workflow.learning import spec, train

NETWORK = {"kind": "mlp", "hidden": [16, 8], "dropout": 0.2, "normalization": "BatchNorm1d"}
BETWEEN_SAVES = 0.01  # seconds


def main(folder: Path, result: Path) -> None:
    """Train for a few seconds."""
    checkpoints, saved_at = CheckpointFolder(folder, sync), 0.0

    def after_step(make: Callable[[], State]) -> None:
        nonlocal saved_at
        if time.monotonic() - saved_at >= BETWEEN_SAVES:
            checkpoints.save(make())
            saved_at = time.monotonic()

    saved = checkpoints.load().state
    value = spec("price", model=NETWORK, training={"epochs": 100, "batch_size": 16, "ema": {"decay": 0.99}})
    trained = train(value, after_step, saved)
    save(trained.learned.model, result)
    result.with_suffix(".began").write_text(str(0 if saved is None else saved["epoch"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

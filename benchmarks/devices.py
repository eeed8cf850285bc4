"""`benchmarks/run devices`: the training loop on a GPU, in float32 and bfloat16, beside the textbook's loop on the same GPU and
beside one CPU thread. Needs a CUDA device.

All data is on the device from the beginning, for every contender. Seconds are the median of the runs, the first left out.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contenders import SEED, mlp, table
from service.workflow import losses, optimizers
from service.workflow.device import make_deterministic
from service.workflow.examples import Examples
from service.workflow.learner import Learner
from service.workflow.schedulers import LearningRateSchedule
from service.workflow.training import ResolvedSettings
from service.workflow.training_loop import train

RUNS = 4
EPOCHS = 3
# Rows, columns, width and depth of the network, rows a batch.
WORK = [(100_000, 20, 128, 3, 256), (50_000, 100, 512, 2, 1024), (200_000, 200, 2048, 3, 8192)]

Fit = Callable[[nn.Module, Tensor, Tensor, int], None]


def ours(precision: str) -> Fit:
    """Our training loop, deterministic as by default."""

    def fit(network: nn.Module, x: Tensor, y: Tensor, batch: int) -> None:
        make_deterministic(True)
        made = optimizers.build(optimizers.REGISTRY.parse({"name": "Adam"}), network)
        settings = ResolvedSettings(epochs=EPOCHS, batch_size=batch, seed=SEED, precision=precision)
        learner = Learner(
            network, losses.REGISTRY.classes["MSELoss"](), False, made, LearningRateSchedule(None, made), settings
        )
        train(learner, {"train": Examples(x, y), "validation": Examples(x[:0], y[:0])}, lambda *_: None)

    return fit


def textbook(network: nn.Module, x: Tensor, y: Tensor, batch: int) -> None:
    """The loop as every tutorial writes it, over batches of resident tensors."""
    torch.use_deterministic_algorithms(False)
    loss, optimizer = nn.MSELoss(), torch.optim.Adam(network.parameters())
    for _ in range(EPOCHS):
        order = torch.randperm(len(x), device=x.device)
        for rows in order.split(batch):
            value = loss(network(x[rows]), y[rows])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()


CONTENDERS: dict[str, tuple[str, Fit]] = {
    "ours, cuda, float32": ("cuda", ours("float32")),
    "ours, cuda, bfloat16": ("cuda", ours("bfloat16")),
    "textbook, cuda, float32": ("cuda", textbook),
    "ours, one CPU thread": ("cpu", ours("float32")),
}


def measure(fit: Fit, device: str, rows: int, columns: int, width: int, depth: int, batch: int) -> tuple[float, float]:
    """Seconds of a training, and the test error after it."""
    x, y, test_x, test_y = (each.to(device) for each in table(rows, columns))
    network = mlp(columns, width, depth).to(device)
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    fit(network, x, y, batch)
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    with torch.inference_mode():
        return seconds, nn.functional.mse_loss(network(test_x), test_y).item()


def main() -> None:
    """Prints the table as Markdown."""
    torch.set_num_threads(1)
    write = sys.stdout.write
    write(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n\n")
    write(
        "| rows × columns, network, batch | contender | seconds | rows a second | test MSE |\n|---|---|---|---|---|\n"
    )
    for rows, columns, width, depth, batch in WORK:
        for name, (device, fit) in CONTENDERS.items():
            runs = 2 if device == "cpu" else RUNS
            if device == "cpu" and width > 1000:
                continue  # minutes
            measured = [measure(fit, device, rows, columns, width, depth, batch) for _ in range(runs)][1:]
            seconds = median(each[0] for each in measured)
            what = f"{rows:,} × {columns}, {depth} × {width}, {batch}"
            write(f"| {what} | {name} | {seconds:.3f} | {EPOCHS * rows / seconds:,.0f} | {measured[-1][1]:.4f} |\n")


if __name__ == "__main__":
    main()

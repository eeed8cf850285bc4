"""The contenders of `training.py`, one function for each; `python contenders.py NAME` prints one line of JSON.

Every contender gets the same data, network, optimizer, batches and number of threads, and is timed without its imports.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

SEED = 42


def line() -> tuple[Tensor, Tensor]:
    """The tutorial's forty training points."""
    x = torch.arange(0, 1, 0.02).unsqueeze(1)[:40]
    return x, 0.4 * x + 0.6


class LinearRegression(nn.Module):
    """The tutorial's model."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1))
        self.bias = nn.Parameter(torch.randn(1))

    def forward(self, x: Tensor) -> Tensor:
        """weight · x + bias."""
        return self.weight * x + self.bias


def table(rows: int = 100_000, columns: int = 20) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Train and test features and targets: a smooth function with a little noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows + 10_000, columns, generator=generator)
    noise = 0.1 * torch.randn(len(x), 1, generator=generator)
    y = x[:, :1] + torch.sin(2 * x[:, 1:2]) + x[:, 2:3] * x[:, 3:4] + noise
    y = (y - y.mean()) / y.std()
    return x[:rows], y[:rows], x[rows:], y[rows:]


def mlp(columns: int, width: int, depth: int) -> nn.Sequential:
    """Linear and ReLU, `depth` times, and a last Linear."""
    torch.manual_seed(SEED)
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(columns, width), nn.ReLU()]
        columns = width
    return nn.Sequential(*layers, nn.Linear(columns, 1))


def mse(network: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    """The test error."""
    with torch.inference_mode():
        return nn.functional.mse_loss(network(x), y).item()


def ours(
    network: nn.Module, x: Tensor, y: Tensor, loss: str, optimizer: dict[str, Any], epochs: int, batch: Any
) -> float:
    """Seconds that our training loop takes, deterministic as by default."""
    from service.workflow import losses, optimizers
    from service.workflow.device import make_deterministic
    from service.workflow.examples import Examples
    from service.workflow.learner import Learner
    from service.workflow.schedulers import LearningRateSchedule
    from service.workflow.training import ResolvedSettings
    from service.workflow.training_loop import train

    make_deterministic(True)
    made = optimizers.build(optimizers.REGISTRY.parse(optimizer), network)
    settings = ResolvedSettings(epochs=epochs, batch_size=batch, seed=SEED)
    learner = Learner(network, losses.REGISTRY.classes[loss](), False, made, LearningRateSchedule(None, made), settings)
    history: list[dict[str, float]] = []
    began = time.perf_counter()
    train(
        learner, {"train": Examples(x, y), "validation": Examples(x[:0], y[:0])}, lambda _, each: history.append(each)
    )
    return time.perf_counter() - began


def line_ours() -> dict[str, float]:
    """1000 full-batch epochs of the tutorial's line, by our loop."""
    x, y = line()
    torch.manual_seed(SEED)
    network = LinearRegression()
    seconds = ours(network, x, y, "L1Loss", {"name": "SGD", "lr": 0.01}, 1000, "full")
    return {"seconds": seconds, "weight": network.weight.item()}


def line_textbook() -> dict[str, float]:
    """The same, by the loop as every tutorial writes it, its loss kept for the curve."""
    x, y = line()
    torch.manual_seed(SEED)
    network, loss = LinearRegression(), nn.L1Loss()
    optimizer, history = torch.optim.SGD(network.parameters(), lr=0.01), []
    began = time.perf_counter()
    for _ in range(1000):
        network.train()
        value = loss(network(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        history.append(value.item())
    return {"seconds": time.perf_counter() - began, "weight": network.weight.item()}


def table_ours() -> dict[str, float]:
    """100k × 20, 3 × 128, Adam, batch 256, 3 epochs, by our loop."""
    x, y, test_x, test_y = table()
    network = mlp(20, 128, 3)
    return {"seconds": ours(network, x, y, "MSELoss", {"name": "Adam"}, 3, 256), "mse": mse(network, test_x, test_y)}


def table_dataloader() -> dict[str, float]:
    """The same, by the textbook's loop over a DataLoader."""
    x, y, test_x, test_y = table()
    network, loss = mlp(20, 128, 3), nn.MSELoss()
    optimizer = torch.optim.Adam(network.parameters())
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=256, shuffle=True)
    began = time.perf_counter()
    for _ in range(3):
        network.train()
        for features, targets in loader:
            value = loss(network(features), targets)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return {"seconds": time.perf_counter() - began, "mse": mse(network, test_x, test_y)}


def table_lightning() -> dict[str, float]:
    """The same, by Lightning's Trainer, its extras switched off."""
    import logging
    import warnings

    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = mlp(20, 128, 3)

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            return nn.functional.mse_loss(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    x, y, test_x, test_y = table()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=256, shuffle=True)
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer, module = lightning.Trainer(max_epochs=3, accelerator="cpu", **off), Module()
    began = time.perf_counter()
    trainer.fit(module, loader)
    return {"seconds": time.perf_counter() - began, "mse": mse(module.network, test_x, test_y)}


def table_skorch() -> dict[str, float]:
    """The same, by skorch's NeuralNetRegressor, its extras switched off."""
    from skorch import NeuralNetRegressor

    x, y, test_x, test_y = table()
    network = mlp(20, 128, 3)
    off = {"train_split": None, "verbose": 0, "callbacks__print_log": None}
    net = NeuralNetRegressor(
        network, max_epochs=3, lr=1e-3, optimizer=torch.optim.Adam, batch_size=256, iterator_train__shuffle=True, **off
    )
    began = time.perf_counter()
    net.fit(x, y)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "mse": mse(net.module_, test_x, test_y)}


def table_sklearn() -> dict[str, float]:
    """The same, by scikit-learn's MLPRegressor."""
    import warnings

    from sklearn.neural_network import MLPRegressor

    warnings.simplefilter("ignore")
    x, y, test_x, test_y = (each.numpy() for each in table())
    model = MLPRegressor(
        hidden_layer_sizes=(128, 128, 128), batch_size=256, max_iter=3, random_state=SEED, alpha=0, tol=0
    )
    began = time.perf_counter()
    model.fit(x, y[:, 0])
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "mse": float(((model.predict(test_x) - test_y[:, 0]) ** 2).mean())}


def wide_ours() -> dict[str, float]:
    """50k × 100, 2 × 512, batch 1024, 3 epochs, by our loop."""
    x, y, *_ = table(50_000, 100)
    return {"seconds": ours(mlp(100, 512, 2), x, y, "MSELoss", {"name": "Adam"}, 3, 1024)}


def wide_gemms() -> dict[str, float]:
    """The matrix products of that training, and nothing else: the limit."""
    x, *_ = table(50_000, 100)
    first, second, last = torch.randn(100, 512), torch.randn(512, 512), torch.randn(512, 1)
    began = time.perf_counter()
    for _ in range(3):
        for batch in x.split(1024):
            hidden = batch @ first
            deeper = hidden @ second
            output = deeper @ last
            _ = deeper.T @ output
            back = output @ last.T
            _ = hidden.T @ back
            back = back @ second.T
            _ = batch.T @ back
    return {"seconds": time.perf_counter() - began}


def repeated(contender: Callable[[], dict[str, float]]) -> dict[str, float]:
    """A short contender six times in its process: the first warms up, the median of the others counts."""
    runs = [contender() for _ in range(6)][1:]
    return sorted(runs, key=lambda run: run["seconds"])[2]


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    chosen = globals()[sys.argv[1]]
    sys.stdout.write(json.dumps(repeated(chosen) if sys.argv[1].startswith("line") else chosen()) + "\n")

"""Early stopping: keeps the best weights, and ends a training when they no longer improve."""

import math

from torch import Tensor, nn

from service.workflow.state import State
from service.workflow.training import EarlyStopping


class EarlyStopper:
    """Keeps the best weights, and counts the epochs without better ones."""

    def __init__(self, settings: EarlyStopping | None) -> None:
        self._settings = settings
        self._best = math.inf
        self._waited = 0
        self._weights: dict[str, Tensor] | None = None

    def ends(self, losses: dict[str, float], judged: nn.Module) -> bool:
        """Whether the training ends here. Call it once after each epoch, with its losses and the evaluated network."""
        if self._settings is None:
            return False
        value = losses.get(self._settings.monitor, losses["train_loss"])
        if value < self._best - self._settings.min_delta:
            self._best, self._waited = value, 0
            self._weights = {name: tensor.clone() for name, tensor in judged.state_dict().items()}
        else:
            self._waited += 1
        return self._waited >= self._settings.patience

    @property
    def waited(self) -> int:
        """How many epochs there were after the best one."""
        return self._waited

    def restore_best(self, network: nn.Module) -> None:
        """Loads the best weights, if there are any."""
        if self._weights is not None:
            network.load_state_dict(self._weights)

    def state(self) -> State:
        """What `load` takes. The weights are not copied."""
        return {"best": self._best, "waited": self._waited, "weights": self._weights}

    def load(self, state: State) -> None:
        """Restores a state."""
        self._best, self._waited, self._weights = state["best"], state["waited"], state["weights"]

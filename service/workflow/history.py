"""The losses of a training's epochs, thinned to a bounded number."""

from collections.abc import Iterator

import torch

from service.workflow.state import State

MOST = 9_999  # epochs kept, besides the last one


class History:
    """Keeps every epoch until there are too many, then every second one, and so on. Which epochs are kept depends only on
    the number of epochs."""

    def __init__(self, most: int = MOST) -> None:
        self.epochs = 0  # the number of the last epoch
        self._most = most
        self._stride = 1
        self._kept: dict[str, list[float]] = {"epoch": []}
        self._last: dict[str, float] = {}

    def add(self, epoch: int, losses: dict[str, float]) -> None:
        """Adds the losses of the next epoch."""
        self.epochs, self._last = epoch, {"epoch": epoch, **losses}
        if (epoch - 1) % self._stride == 0:
            for name, value in self._last.items():
                self._kept.setdefault(name, []).append(value)
            if len(self._kept["epoch"]) > self._most:
                self._stride *= 2
                self._kept = {name: values[::2] for name, values in self._kept.items()}

    def series(self, most: int = MOST) -> dict[str, list[float]]:
        """The epochs and their losses, by name: at most `most` epochs from the first on, and the last one."""
        step = 1
        while len(self._kept["epoch"][::step]) > most:
            step *= 2
        series = {name: values[::step] for name, values in self._kept.items()}
        if series["epoch"][-1:] in ([], [self.epochs]):
            return series
        return {name: [*values, self._last[name]] for name, values in series.items()}

    def after(self, epoch: int) -> Iterator[tuple[int, dict[str, float]]]:
        """The kept epochs after this one, with their losses."""
        series = self.series()
        for place, number in enumerate(series["epoch"]):
            if number > epoch:
                yield int(number), {name: values[place] for name, values in series.items() if name != "epoch"}

    def state(self) -> State:
        """What `load` takes."""
        # Tensors are written faster than JSON, and exactly.
        kept = {name: torch.tensor(values, dtype=torch.float64) for name, values in self._kept.items()}
        return {"epochs": self.epochs, "stride": self._stride, "kept": kept, "last": dict(self._last)}

    def load(self, state: State) -> None:
        """Restores a state."""
        self.epochs, self._stride, self._last = state["epochs"], state["stride"], dict(state["last"])
        self._kept = {name: values.tolist() for name, values in state["kept"].items()}
        self._kept["epoch"] = [int(each) for each in self._kept["epoch"]]

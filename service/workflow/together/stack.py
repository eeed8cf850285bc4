"""The trials that are still trained together: a matrix with a row of parameters for each, changed step by step."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from service.workflow.batches import cut
from service.workflow.examples import Examples
from service.workflow.spec import ResolvedSpec
from service.workflow.state import State
from service.workflow.together.crew import Crew
from service.workflow.together.stacked_network import Draws, StackedNetwork
from service.workflow.together.stacked_optimizer import StackedOptimizer
from service.workflow.together.trial import Trial
from service.workflow.torch_registry import arguments_of, name_of

GROUP = 16  # trials in one operation: the numbers of more do not fit into a core's cache
FEWEST = 4  # trials in a group, if there are several
STEPS = 8  # between two looks at the clock
VALIDATION_ROWS = 512  # whose losses are computed at once


class Stack:
    """Trials that are trained together, in groups: each group is a slice of the matrix, and a thread's work.

    Args:
        trials: with their rows of parameters.
        network: what they compute.
        loss: with one number for each value of the output, or for each row.
        sums: whether a trial's loss is the sum of these rather than their mean.
        spec: of one of them.
        parts: the examples of `train` and `validation`, whose features are columns of a table.
        crew: what computes them.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        network: StackedNetwork,
        loss: nn.Module,
        sums: bool,
        spec: ResolvedSpec,
        parts: dict[str, Examples],
        crew: Crew,
    ) -> None:
        self.trials = list(trials)  # the active ones, in the order of the rows
        self.epoch = 1
        self._network, self._loss, self._sums, self._crew = network, loss, sums, crew
        self._train, self._validation = parts["train"], parts["validation"]
        size = spec.training.batch_size
        rows = len(self._train)
        batch = rows if size == "full" else min(size, rows)
        self._whole = batch == rows
        self._cuts = [(int(each[0]), int(each[-1]) + 1) for each in cut(torch.arange(rows), batch)]
        self._clipping = spec.training.gradient_clipping
        self._matrix = torch.stack([each.row.values for each in self.trials])
        decays = [each.decay for each in self.trials]
        shape = (len(self.trials), network.width)
        self._optimizer = StackedOptimizer(name_of(spec.optimizer), arguments_of(spec.optimizer), decays, shape)
        self._steps = 0  # of all epochs
        self._done = 0  # of this epoch
        self._losses = torch.zeros(len(self.trials), len(self._cuts))  # of the steps of this epoch
        self._bind()

    def _bind(self) -> None:
        for at, each in enumerate(self.trials):
            each.row.values = self._matrix[at]
        self._groups = self._crew.share(len(self.trials), GROUP, FEWEST)
        self._rates = self._read_rates()

    def _read_rates(self) -> Tensor:
        return torch.tensor([[each.rate] for each in self.trials])

    def train_epoch(self, after_steps: Callable[[], None]) -> list[float]:
        """The steps that are left of an epoch; `after_steps` is called after some of them. Returns each trial's mean loss."""
        orders = None if self._whole else torch.stack([each.order(len(self._train)) for each in self.trials])
        scheduled = self.trials[0].scheduled
        while self._done < len(self._cuts):
            last = min(self._done + (1 if scheduled else STEPS), len(self._cuts))
            self._crew.do([partial(self._train_group, at, orders, last) for at in self._groups])
            self._steps += last - self._done
            self._done = last
            if scheduled:
                for each in self.trials:
                    each.after_step()
                self._rates = self._read_rates()
            after_steps()
        counts = torch.tensor([float(end - start) for start, end in self._cuts])
        totals = self._losses.sum(dim=1) if self._sums else self._losses @ counts
        return (totals / len(self._train)).tolist()

    def _train_group(self, at: slice, orders: Tensor | None, last: int) -> None:
        """The steps of some trials, from those that are done up to `last`."""
        # By `data`, a group does not see that others change their rows: torch would take it for a change of its own.
        rows, rates = self._matrix[at], self._rates[at]
        trials = self.trials[at]
        draws = Draws([each.dropout for each in trials], [each.generator for each in trials])
        for step in range(self._done, last):
            features, targets = self._batch(None if orders is None else orders[at], step, len(trials))
            leaf = rows.data.requires_grad_()
            losses = self._measure(self._network(leaf, features, draws), targets)
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
            self._losses[at, step] = losses.detach()
            with torch.no_grad():
                if self._clipping is not None:
                    norms = gradient.norm(dim=1, keepdim=True)
                    gradient.mul_((self._clipping / (norms + 1e-6)).clamp_max(1.0))
                self._optimizer.step(self._steps + step - self._done + 1, at, rows, gradient, rates)

    def _batch(self, orders: Tensor | None, step: int, count: int) -> tuple[Tensor, Tensor]:
        """The features [c, n, d] and the targets [c, n, …] of each trial's next step."""
        features, targets = self._train.features, self._train.targets
        assert isinstance(features, Tensor)  # noqa: S101 - no input has a shape
        if orders is None:
            return features.expand(count, -1, -1), targets.expand(count, *targets.shape)
        start, end = self._cuts[step]
        positions = orders[:, start:end].flatten()
        taken, wanted = features.index_select(0, positions), targets.index_select(0, positions)
        return taken.unflatten(0, (count, -1)), wanted.unflatten(0, (count, -1))

    def _measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each trial [c]."""
        values = self._loss(outputs.flatten(0, 1), targets.flatten(0, 1)).unflatten(0, outputs.shape[:2]).flatten(1)
        total: Tensor = values.sum(dim=1) if self._sums else values.mean(dim=1)
        return total

    def validate(self) -> list[float] | None:
        """Each trial's mean loss of the validation part; None if there is none."""
        if not len(self._validation):
            return None
        found = torch.zeros(len(self.trials), dtype=torch.float64)
        self._crew.do([partial(self._validate_group, at, found) for at in self._groups])
        return (found / len(self._validation)).tolist()

    @torch.no_grad()
    def _validate_group(self, at: slice, found: Tensor) -> None:
        features, targets, rows = self._validation.features, self._validation.targets, self._matrix[at]
        assert isinstance(features, Tensor)  # noqa: S101 - no input has a shape
        for some, wanted in zip(features.split(VALIDATION_ROWS), targets.split(VALIDATION_ROWS), strict=True):
            outputs = self._network(rows, some.expand(len(rows), -1, -1))
            losses = self._measure(outputs, wanted.expand(len(rows), *wanted.shape)).double()
            found[at] += losses if self._sums else losses * len(some)

    def next_epoch(self) -> None:
        """Goes on with the trials that have not ended. The others keep their rows."""
        self.epoch, self._done = self.epoch + 1, 0
        if any(each.ended for each in self.trials):
            self._keep([at for at, each in enumerate(self.trials) if not each.ended])

    def _keep(self, going: list[int]) -> None:
        """Goes on with the trials in these rows alone."""
        for each in self.trials:
            each.row.values = each.row.values.clone()
        rows = torch.tensor(going, dtype=torch.int64)
        self.trials = [self.trials[at] for at in going]
        self._matrix, self._losses = self._matrix[rows], self._losses[rows]
        self._optimizer.keep(rows)
        self._bind()

    def state(self) -> State:
        """What `load` takes besides the trials' own states; call it after a step. The tensors are not copied."""
        return {
            "active": [each.number for each in self.trials],
            "epoch": self.epoch,
            "steps": self._steps,
            "done": self._done,
            "losses": self._losses,
            "optimizer": self._optimizer.state(),
        }

    def load(self, state: State) -> None:
        """Restores a state of a new stack, whose trials have theirs already.

        Raises:
            KeyError, ValueError, TypeError, RuntimeError, IndexError: it is of another stack.
        """
        if (active := set(state["active"])) != {each.number for each in self.trials}:
            self._keep([at for at, each in enumerate(self.trials) if each.number in active])
        self.epoch, self._steps, self._done = state["epoch"], state["steps"], state["done"]
        self._losses.copy_(state["losses"])
        self._optimizer.load(state["optimizer"])
        self._rates = self._read_rates()

"""Step 7, the learning-rate scheduler: the classes of torch.optim.lr_scheduler that a spec may name."""

from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field
from torch import nn
from torch.optim import Optimizer, lr_scheduler

from service.workflow.optimizers import without_compiler
from service.workflow.state import State
from service.workflow.torch_errors import torch_message
from service.workflow.torch_registry import TorchRegistry, arguments_of

NAMES = ["ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR", "LinearLR"]
NAMES += ["MultiStepLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "StepLR"]
NESTING = ["ChainedScheduler", "SequentialLR"]

LARGEST_RATE = torch.finfo(torch.float32).max

_CALLABLE = "it needs a function, and a spec is data"


class _Nested:
    """A scheduler inside another: the same registry, which does not exist yet when this annotation is read."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return REGISTRY.__get_pydantic_core_schema__(source, handler)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        return {"type": "object", "description": "a scheduler, as above"}


STEPS_TRIED = 8  # enough for every branch of every class while `total_iters` is at most MOST_ITERATIONS
MOST_ITERATIONS = 3


def _trial(cls: type, arguments: dict[str, Any]) -> None:
    """Creates a scheduler and takes steps to its end, because torch checks some arguments only there."""
    arguments = {name: value for name, value in arguments.items() if name != "interval"}
    if isinstance(arguments.get("total_iters"), int):
        arguments["total_iters"] = min(arguments["total_iters"], MOST_ITERATIONS)
    sgd: Any = without_compiler(torch.optim.SGD)
    optimizer = sgd([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    made = _make(cls, arguments, optimizer)
    optimizer.step()  # before the scheduler's first step, else torch warns
    for _ in range(STEPS_TRIED):
        _step(made, 1.0)
        if not abs(rate := optimizer.param_groups[0]["lr"]) <= LARGEST_RATE:
            raise ValueError(f"the learning rate becomes {rate}, which is more than a float32 can hold")


REGISTRY = TorchRegistry(
    "scheduler",
    {name: getattr(lr_scheduler, name) for name in [*NAMES, *NESTING]},
    refused={"LambdaLR": _CALLABLE, "MultiplicativeLR": _CALLABLE},
    trial=_trial,
    types={
        "schedulers": Annotated[list[Annotated[Any, _Nested]], Field(min_length=1, max_length=16)],
        "milestones": list[int],
    },
    left_out={"optimizer", "last_epoch", "verbose", "scale_fn"},
    own={
        "interval": (
            Literal["epoch", "step"],
            Field(default="epoch", description="after what the learning rate changes"),
        )
    },
)

Scheduler = Annotated[BaseModel, REGISTRY]


def default(cycle: dict[str, Any], steps: int) -> BaseModel | None:
    """The scheduler that a kind of model proposes for a training of this number of steps; None if there are too few for one."""
    if steps < STEPS_TRIED:
        return None
    total = {"total_steps": steps} if cycle["name"] == "OneCycleLR" else {}
    return REGISTRY.parse({**cycle, **total})


class LearningRateSchedule:
    """The torch schedulers of all optimizers, advanced together after each epoch or each step."""

    def __init__(self, scheduler: BaseModel | None, optimizers: list[Optimizer]) -> None:
        self.schedulers: list[Any] = []
        self._by_step = False
        if scheduler is not None:
            arguments = arguments_of(scheduler)
            self._by_step = arguments.pop("interval") == "step"
            cls = REGISTRY.classes[type(scheduler).__name__]
            self.schedulers = [_make(cls, arguments, optimizer) for optimizer in optimizers]

    def after_step(self) -> None:
        """Call after each step of the optimizers."""
        for scheduler in self.schedulers if self._by_step else ():
            _step(scheduler, None)

    def after_epoch(self, loss: float) -> None:
        """Call after each epoch, with the loss that ReduceLROnPlateau monitors."""
        for scheduler in () if self._by_step else self.schedulers:
            _step(scheduler, loss)

    def state(self) -> list[State]:
        """What `load` takes."""
        return [each.state_dict() for each in self.schedulers]

    def load(self, states: list[State]) -> None:
        """Restores the state of a schedule with the same spec. Load the optimizers afterwards: a new schedule has changed
        their learning rates."""
        for scheduler, state in zip(self.schedulers, states, strict=True):
            scheduler.load_state_dict(state)
            scheduler.optimizer._opt_called = True  # else torch warns that the optimizer has not stepped yet


def misfit(scheduler: BaseModel, optimizers: list[Optimizer]) -> str | None:
    """Why the scheduler cannot be used with these optimizers, which it changes; or None."""
    try:
        schedule = LearningRateSchedule(scheduler, optimizers)
        for optimizer in optimizers:
            optimizer._opt_called = True  # type: ignore[attr-defined] # else torch warns that it has not stepped yet
        for _ in range(STEPS_TRIED):
            schedule.after_step()
            schedule.after_epoch(1.0)
    except Exception as error:  # torch raises errors of any type
        return torch_message(error)
    return None


def _step(scheduler: Any, loss: float | None) -> None:
    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        if loss is not None:
            scheduler.step(loss)
    elif not (isinstance(scheduler, lr_scheduler.OneCycleLR) and scheduler.last_epoch + 1 >= scheduler.total_steps):
        scheduler.step()  # a finished OneCycleLR keeps its last learning rate


def _make(cls: type, arguments: dict[str, Any], optimizer: Optimizer) -> Any:
    if "schedulers" not in arguments:
        return cls(optimizer, **arguments)
    inner = []
    for each in arguments["schedulers"]:
        own = {name: value for name, value in arguments_of(each).items() if name != "interval"}
        inner.append(_make(REGISTRY.classes[type(each).__name__], own, optimizer))
    rest = {name: value for name, value in arguments.items() if name != "schedulers"}
    return cls(inner, **rest) if cls is lr_scheduler.ChainedScheduler else cls(optimizer, schedulers=inner, **rest)

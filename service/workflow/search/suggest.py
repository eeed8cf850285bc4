"""Which settings the trials of a sweep have: a function of the space, the method, the seed and the trials that have ended, and
of nothing else. So a sweep that was killed goes on with the same suggestions."""

import hashlib
import math
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from service.workflow.search.space import Dimension, Values, grid

if TYPE_CHECKING:
    import optuna

Method = Literal["random", "grid", "tpe"]
# Trials with random settings before TPE has something to go by; optuna's own figure.
RANDOM_FIRST = 10


@dataclass(frozen=True)
class Ended:
    """A trial that has ended: its settings, and what they came to, where less is better; None if it failed."""

    number: int
    values: Values
    loss: float | None


def suggest(
    space: Mapping[str, Dimension], method: Method, seed: int, ended: Sequence[Ended], count: int
) -> list[Values]:
    """The settings of the next trials, after as many as have ended; fewer at the end of a grid.

    Args:
        ended: the trials so far; in any order, as they are sorted by their numbers here.
        count: of trials in this round.
    """
    done = sorted(ended, key=lambda each: each.number)
    first = len(done) + 1
    if method == "grid":
        return list(islice(grid(space), first - 1, first - 1 + count))
    if method == "random":
        return [_drawn(space, seed, number) for number in range(first, first + count)]
    return _tpe(space, seed, done, count)


def seed_of(seed: int, number: int) -> int:
    """The seed of one trial's suggestion, of 32 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big")


def _drawn(space: Mapping[str, Dimension], seed: int, number: int) -> Values:
    generator = random.Random(seed_of(seed, number))  # noqa: S311 - a search, no secret
    return {name: _value(dimension, generator) for name, dimension in space.items()}


def _value(dimension: Dimension, generator: random.Random) -> Any:
    if (listed := dimension.listed) is not None:
        return listed[generator.randrange(len(listed))]
    if dimension.log is not None:
        low, high = dimension.log
        return min(max(math.exp(generator.uniform(math.log(low), math.log(high))), low), high)
    low, high = dimension.uniform or (0.0, 1.0)
    return min(max(generator.uniform(low, high), low), high)


def _tpe(space: Mapping[str, Dimension], seed: int, done: Sequence[Ended], count: int) -> list[Values]:
    """By optuna's tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011), of
    all fields together. The trials of a round know of each other: a trial that has not ended counts as a bad one, which keeps
    those beside it away from its place."""
    import optuna  # loaded with the first suggestion, not with the service

    distributions = {name: _distribution(dimension) for name, dimension in space.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls arguments experimental that it has had for years
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            study = optuna.create_study(direction="minimize")
            study.add_trials([_known(each, space, distributions) for each in done])
            return [_asked(study, space, distributions, seed_of(seed, len(done) + 1 + place)) for place in range(count)]
        finally:
            optuna.logging.set_verbosity(before)


def _asked(
    study: "optuna.Study",
    space: Mapping[str, Dimension],
    distributions: Mapping[str, "optuna.distributions.BaseDistribution"],
    seed: int,
) -> Values:
    import optuna

    study.sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=RANDOM_FIRST, multivariate=True, constant_liar=True
    )
    asked = study.ask(dict(distributions)).params
    return {
        name: asked[name] if dimension.choice is None else dimension.choice[asked[name]]
        for name, dimension in space.items()
    }


def _distribution(dimension: Dimension) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.choice is not None:  # by position: a value may be a list, which optuna does not take
        return CategoricalDistribution(list(range(len(dimension.choice))))
    if dimension.int is not None:
        return IntDistribution(low=dimension.int[0], high=dimension.int[1])
    low, high = dimension.log or dimension.uniform or (0.0, 1.0)
    return FloatDistribution(low, high, log=dimension.log is not None)


def _known(
    ended: Ended,
    space: Mapping[str, Dimension],
    distributions: Mapping[str, "optuna.distributions.BaseDistribution"],
) -> "optuna.trial.FrozenTrial":
    import optuna

    params = {
        name: ended.values[name] if dimension.choice is None else _place(dimension.choice, ended.values[name])
        for name, dimension in space.items()
    }
    failed = ended.loss is None  # as a pruned one without a figure it counts as the worst, and its place is avoided
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.PRUNED if failed else optuna.trial.TrialState.COMPLETE,
        params=params,
        distributions=dict(distributions),
        value=ended.loss,
    )


def _place(choices: Sequence[Any], value: Any) -> int:
    """The position of a value among the choices. JSON tells 1, 1.0 and true apart, which Python holds for equal."""
    return next(place for place, each in enumerate(choices) if each == value and type(each) is type(value))

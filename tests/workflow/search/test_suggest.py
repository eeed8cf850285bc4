"""Suggestions follow from what they are given, and lie in the space."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.errors import InvalidSpec
from service.workflow.search.space import Dimension, check, combinations, grid_size, with_values
from service.workflow.search.suggest import Ended, Method, suggest
from tests.examples import examples

CHOICES = st.lists(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.floats(-1, 1), st.text(max_size=3), st.lists(st.integers())
    ),
    min_size=1,
    max_size=4,
)
LOG = st.tuples(st.floats(1e-6, 1e-3), st.floats(1e-2, 1e3)).map(lambda two: Dimension(log=list(two)))
UNIFORM = st.tuples(st.floats(-1e6, 0), st.floats(1e-3, 1e6)).map(lambda two: Dimension(uniform=list(two)))
WHOLE = st.tuples(st.integers(-9, 0), st.integers(1, 99)).map(lambda two: Dimension(int=list(two)))
DIMENSION = st.one_of(LOG, UNIFORM, WHOLE, CHOICES.map(lambda values: Dimension(choice=values)))
SPACE = st.dictionaries(st.sampled_from(["optimizer.lr", "model.hidden", "training.seed", "a"]), DIMENSION, min_size=1)


def run(space: dict[str, Dimension], method: Method, seed: int, rounds: int, parallel: int) -> list[Ended]:
    """A whole sweep, whose losses follow from the settings; the fifth trial fails."""
    ended: list[Ended] = []
    for _ in range(rounds):
        for values in suggest(space, method, seed, ended, parallel):
            number = len(ended) + 1
            loss = random.Random(repr(values)).random()  # noqa: S311 - no secret
            ended.append(Ended(number, values, None if number == 5 else loss))
    return ended


def inside(dimension: Dimension, value: Any) -> bool:
    """Whether the value is one of the dimension's."""
    if dimension.choice is not None:
        return any(value == each and type(value) is type(each) for each in dimension.choice)
    if dimension.int is not None:
        return type(value) is int and dimension.int[0] <= value <= dimension.int[1]
    low, high = dimension.log or dimension.uniform or (1, 0)
    return type(value) is float and low <= value <= high


@settings(max_examples=examples(20), deadline=None)
@given(SPACE, st.sampled_from(["random", "tpe"]), st.integers(0, 2**63 - 1), st.integers(1, 4))
def test_the_same_trials_give_the_same_suggestions_within_the_space(
    space: dict[str, Dimension], method: Method, seed: int, parallel: int
) -> None:
    whole = run(space, method, seed, 4, parallel)
    assert all(inside(space[name], value) for each in whole for name, value in each.values.items())
    assert all(each.values.keys() == space.keys() for each in whole)
    assert run(space, method, seed, 4, parallel) == whole
    # After a kill: from the trials that had ended, in whatever order they are read.
    after = suggest(space, method, seed, whole[: 2 * parallel][::-1], parallel)
    assert after == [each.values for each in whole[2 * parallel : 3 * parallel]]


def test_seeds_and_trials_differ() -> None:
    space = {"optimizer.lr": Dimension(log=[1e-4, 1e-1])}
    for method in ("random", "tpe"):
        first, other = (run(space, method, seed, 6, 2) for seed in (1, 2))
        assert len({each.values["optimizer.lr"] for each in first + other}) == 24


def test_tpe_comes_closer_than_chance() -> None:
    space = {name: Dimension(uniform=[-5, 5]) for name in ("x", "y")}

    def best(method: Method, seed: int) -> float:
        ended: list[Ended] = []
        while len(ended) < 40:
            for values in suggest(space, method, seed, ended, 2):
                ended.append(Ended(len(ended) + 1, values, (values["x"] - 1) ** 2 + (values["y"] + 2) ** 2))
        return min(each.loss or 0 for each in ended)

    assert sum(best("tpe", seed) < best("random", seed) for seed in range(5)) >= 4


def test_a_grid_is_tried_in_order_and_ends() -> None:
    space = {"a": Dimension(choice=["u", "v"]), "b": Dimension(int=[1, 3])}
    assert grid_size(space) == 6
    ended: list[Ended] = []
    for _ in range(3):
        for values in suggest(space, "grid", 0, ended, 4):
            ended.append(Ended(len(ended) + 1, values, None))
    assert [(each.values["a"], each.values["b"]) for each in ended] == [
        *(("u", b) for b in (1, 2, 3)),
        *(("v", b) for b in (1, 2, 3)),
    ]


def test_settings_are_put_into_a_copy_of_the_spec() -> None:
    spec = {"model": {"layers": [{"out": 1}, {"out": 2}]}, "optimizer": None}
    made = with_values(spec, {"model.layers.1.out": 9, "optimizer.lr": 0.1, "loss": {"name": "L1Loss"}})
    assert made == {
        "model": {"layers": [{"out": 1}, {"out": 9}]},
        "optimizer": {"lr": 0.1},
        "loss": {"name": "L1Loss"},
    }
    assert spec == {"model": {"layers": [{"out": 1}, {"out": 2}]}, "optimizer": None}
    for path in ("model.layers.2.out", "model.layers.x", "model.layers.0.out.more"):
        with pytest.raises(InvalidSpec):
            with_values(spec, {path: 1})


def test_each_bound_and_choice_is_checked_once_beside_the_first_of_the_others() -> None:
    space = {"a": Dimension(log=[1, 2]), "b": Dimension(choice=["x", "y", "z"])}
    found = [(each["a"], each["b"]) for each in combinations(space)]
    assert found == [(1, "x"), (2, "x"), (1, "y"), (1, "z")]


@pytest.mark.parametrize("name", ["", "a..b", ".a", "data", "split.train", "model_name", ".".join("a" * 17)])
def test_paths_that_are_not_searched(name: str) -> None:
    with pytest.raises(InvalidSpec):
        check({name: Dimension(int=[1, 2])})

"""`training.freeze`: the parameters that match keep their bits, and so do the statistics of their modules."""

from typing import Any

import pytest
import torch
from torch import Tensor

from service.workflow.errors import InvalidSpec
from service.workflow.freezing import check_freeze
from service.workflow.inspection import parameters_of
from service.workflow.model import meta_network
from service.workflow.spec import parse
from service.workflow.state import State
from service.workflow.tensor_header import TensorHeader, TensorPlace
from tests.workflow.learning import Trained, resolved_from, spec, train

NETWORK = {"kind": "mlp", "hidden": [8, 8], "normalization": "BatchNorm1d", "dropout": 0.1}
# Its modules: 0 Linear, 1 BatchNorm1d, 2 ReLU, 3 Dropout, 4 Linear, 5 BatchNorm1d, 6 ReLU, 7 Dropout, 8 Linear.


def frozen(*patterns: str, **training: Any) -> dict[str, Any]:
    return spec("kind", model=NETWORK, training={"freeze": list(patterns), **training} if patterns else training)


def tensors(trained: Trained) -> dict[str, Tensor]:
    return trained.learned.model.network.state_dict()


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, each in before.items() if not torch.equal(each, after[name])}


@pytest.mark.parametrize("more", [{}, {"ema": {"decay": 0.5}}, {"early_stopping": {"patience": 3}}])
def test_only_what_does_not_match_is_trained(more: dict[str, Any]) -> None:
    before = tensors(train(frozen("[01].*", "4.weight", epochs=0)))
    after = tensors(train(frozen("[01].*", "4.weight", **more)))
    kept = {name for name in before if name.startswith(("0.", "1.")) or name == "4.weight"}
    assert {"1.running_mean", "1.num_batches_tracked"} < kept
    assert changed(before, after) == before.keys() - kept


def test_statistics_follow_the_batches_while_one_of_their_parameters_is_trained() -> None:
    before, after = (tensors(train(frozen("5.weight", epochs=epochs))) for epochs in (0, 4))
    assert {"5.running_mean", "5.bias"} <= changed(before, after)
    assert "5.weight" not in changed(before, after)


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "Muon", "LBFGS"])
def test_every_optimizer_leaves_frozen_parameters(optimizer: str) -> None:
    runs = []
    for epochs in (0, 2):
        value = {**frozen("4.*", epochs=epochs), "optimizer": {"name": optimizer, "lr": 0.01}}
        runs.append(tensors(train(value)))
    names = changed(*runs)
    assert "8.weight" in names and not {"4.weight", "4.bias"} & names


def test_a_training_that_is_continued_ends_in_the_same_bits() -> None:
    value, states = frozen("0.*", "1.*"), list[State]()

    def keep(state: Any) -> None:
        if len(states) < 7:
            states.append({name: _copied(each) for name, each in state().items()})

    whole = tensors(train(value, after_step=keep))
    again = tensors(train(value, saved=states[-1]))
    assert not changed(whole, again)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def test_parameters_show_what_is_frozen() -> None:
    trained = train(frozen("0.*", epochs=1))
    header = TensorHeader(
        {
            name: TensorPlace(dtype="F32", shape=tuple(each.shape), start=0, stop=0)
            for name, each in trained.learned.model.tensors().items()
        },
        "",
    )
    listed = parameters_of(trained.resolved.spec, trained.learned.signature, header)
    assert {each.name for each in listed if not each.requires_grad} == {"0.weight", "0.bias"}


@pytest.mark.parametrize(
    ("patterns", "pointer", "says"),
    [
        (["0.*", "9.*"], "/training/freeze/1", r"'9\.\*' matches no parameter of this model; .*, 8\.weight"),
        (["8.wieght"], "/training/freeze/0", "did you mean .*'8.weight'"),
        (["*"], "/training/freeze", "every parameter is frozen, and nothing is left to train"),
    ],
)
def test_patterns_that_cannot_be_meant_are_refused(patterns: list[str], pointer: str, says: str) -> None:
    resolved = resolved_from(parse(frozen(*patterns)))
    network = meta_network(resolved.spec, resolved.signature, resolved.inputs)
    with pytest.raises(InvalidSpec, match=says) as refused:
        check_freeze(network, patterns)
    assert refused.value.faults[0].pointer == pointer


def test_a_spec_without_it_is_written_as_before() -> None:
    assert "freeze" not in resolved_from(parse(frozen())).spec.to_json()["training"]
    assert resolved_from(parse(frozen("0.*"))).spec.to_json()["training"]["freeze"] == ["0.*"]
    for wrong in ([], "0.*", [""], [3]):
        with pytest.raises(InvalidSpec, match="/training/freeze"):
            parse(spec("kind", training={"freeze": wrong}))

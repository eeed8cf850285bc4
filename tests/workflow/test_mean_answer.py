"""Early stopping by the loss of an ensemble's mean answer."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from service.workflow import losses
from service.workflow.losses import OutputKind
from service.workflow.mean_answer import OfMeanAnswer
from service.workflow.spec import parse
from tests.workflow.learning import resolved_from, spec, train

TABM = {"kind": "tabm", "width": 16, "members": 4}
ROWS, WIDTH = 5, 4


class Given(nn.Module):
    """Not a loss: the output that it is called with."""

    def forward(self, output: Tensor, _: Tensor) -> Tensor:
        return output


@pytest.mark.parametrize("kind", OutputKind)
@given(seed=st.integers(0, 2**32), members=st.integers(1, 8), scale=st.sampled_from([0.1, 1.0, 5.0]))
def test_the_joined_output_means_the_mean_of_the_answers(
    kind: OutputKind, seed: int, members: int, scale: float
) -> None:
    output = scale * torch.randn(members * ROWS, WIDTH, generator=torch.Generator().manual_seed(seed))
    if (head := losses.head(kind)) is not None:
        output = head(output)
    joined = OfMeanAnswer(Given(), kind, members)(output, torch.zeros(ROWS))
    mean = losses.answers(kind, output).unflatten(0, (members, -1)).mean(dim=0)
    torch.testing.assert_close(losses.answers(kind, joined), mean)


@given(seed=st.integers(0, 2**32), members=st.integers(2, 8))
def test_the_variance_is_that_of_the_mixture(seed: int, members: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    means, spreads = torch.randn(members, generator=draw), torch.randn(members, generator=draw)
    output = torch.stack([means, spreads], dim=1)
    joined = OfMeanAnswer(Given(), OutputKind.VALUE_AND_VARIANCE, members)(output, torch.zeros(1))
    squares = (nn.functional.softplus(spreads) + means**2).mean()
    torch.testing.assert_close(nn.functional.softplus(joined[0, 1]), squares - means.mean() ** 2)


def test_a_squared_loss_is_watched_as_hubers() -> None:
    output, target = torch.tensor([[4.0], [6.0]]), torch.tensor([[0.0]])  # two members' answers to one row
    for reduction in ("mean", "sum"):
        watched = OfMeanAnswer(nn.MSELoss(reduction=reduction), OutputKind.VALUE, 2)
        assert watched(output, target).item() == 4.5  # |5 - 0| - 1/2


def monitored(model: Any, stopping: Any = None) -> str:
    training = {} if stopping is None else {"early_stopping": stopping}
    value = spec("price", model=model)
    value["training"] = training
    found = resolved_from(parse(value)).spec.training.early_stopping
    assert found is not None
    return found.monitor


def test_the_default_network_watches_its_mean_answer() -> None:
    assert monitored(TABM) == monitored(TABM, {"patience": 5}) == "mean_answer_loss"
    assert monitored(TABM, {"monitor": "validation_loss"}) == "validation_loss"
    assert monitored({"kind": "mlp"}) == monitored({"kind": "mlp"}, {"patience": 5}) == "validation_loss"


def test_the_kept_weights_answer_best() -> None:
    def trained(epochs: int, stopping: Any) -> Any:
        training = {"epochs": epochs, "early_stopping": stopping, "batch_size": 16}
        return train(spec("kind", model=TABM, optimizer={"name": "Adam", "lr": 0.05}, training=training))

    stopped = trained(200, {"patience": 3})
    epochs = len(stopped.losses)
    assert epochs < 200
    found = [trained(epoch, None) for epoch in range(1, epochs + 1)]
    answers = [each.learned.evaluation.metrics["validation"]["log_loss"] for each in found]
    best = answers.index(min(answers))
    assert best == epochs - 4
    kept = found[best].learned.model.tensors()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in stopped.learned.model.tensors().items())

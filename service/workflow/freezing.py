"""Parameters that are not trained: `freeze` of a spec."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from service.workflow.errors import invalid
from service.workflow.spec_base import nearest, shown


def freeze(network: nn.Module, patterns: Sequence[str]) -> None:
    """Sets `requires_grad` of the parameters whose names match one of the patterns, such as `encoder.*`, to false."""
    for name, parameter in network.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)


def check_freeze(network: nn.Module, patterns: Sequence[str]) -> None:
    """Checks the patterns for a network that they were applied to.

    Raises:
        InvalidSpec: one matches no parameter, or nothing is left to train.
    """
    named = dict(network.named_parameters())
    for position, pattern in enumerate(patterns):
        if not any(fnmatchcase(name, pattern) for name in named):
            message = f"{shown(pattern)} matches no parameter of this model; {nearest(pattern, list(named))}"
            raise invalid(f"/training/freeze/{position}", message)
    if patterns and not any(each.requires_grad for each in named.values()):
        raise invalid("/training/freeze", "every parameter is frozen, and nothing is left to train; leave some out")


def frozen_norms(network: nn.Module) -> list[nn.Module]:
    """The modules with running statistics, such as BatchNorm, all of whose parameters are frozen. They stay in evaluation mode,
    so that their statistics are frozen as well."""
    norms = [each for each in network.modules() if isinstance(each, _NormBase)]
    owned = [(each, list(each.parameters(recurse=False))) for each in norms]
    return [norm for norm, own in owned if own and not any(each.requires_grad for each in own)]

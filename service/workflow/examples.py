"""The examples that a network learns from: the rows of a part, encoded once and kept in the memory of the device."""

from dataclasses import dataclass

import torch
from pydantic import BaseModel
from torch import Tensor

from service.workflow import losses
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import raw_width
from service.workflow.errors import InvalidData
from service.workflow.model import Model
from service.workflow.parts import PARTS
from service.workflow.signature import Signature
from service.workflow.spec_base import shown
from service.workflow.split import Split

LEARNED_FROM = ("train", "validation")


@dataclass(frozen=True)
class Examples:
    """Encoded features [n, d] and encoded targets [n, t] or [n]."""

    features: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return self.features.shape[0]


@torch.no_grad()
def encode_parts(
    loss: BaseModel,
    signature: Signature,
    model: Model,
    features: Tensor,
    targets: Tensor,
    parts: Split,
    device: torch.device,
) -> dict[str, Examples]:
    """The examples of each part, encoded on the CPU by the model's preprocessing.

    Raises:
        InvalidData: an encoded number of a part that is learned from is beyond a float32; its column is named.
    """
    examples = {}
    for name in PARTS:
        rows = parts.part(name)
        scaled = targets[rows] if model.target is None else model.target.scale(targets[rows])
        encoded = losses.encode_target(loss, scaled)
        examples[name] = Examples(model.encode(features[rows]).to(device), encoded.to(device))
        if name in LEARNED_FROM:
            _check_range(signature, examples[name])
    return examples


def _check_range(signature: Signature, examples: Examples) -> None:
    # The first encoded columns are the numbers, in the order of the inputs.
    numbers = [each for each in signature.inputs if not COLUMN_TYPES[each.type].categorical]
    names = [each.name for each in numbers for _ in range(raw_width([each]))]
    infinite = [*zip(names, examples.features.isinf().any(dim=0).tolist(), strict=False)]
    if examples.targets.dim() == 2:  # numbers, not classes
        columns = examples.targets.isinf().any(dim=0).tolist()
        infinite += zip([each.name for each in signature.outputs], columns, strict=True)
    for name, beyond in infinite:
        if beyond:
            raise InvalidData(
                f"the column {shown(name)} holds a number that is beyond what a network can take (a float32): with `normalize` "
                "that is one very far from those of the training part, without it one above 3.4e38"
            )

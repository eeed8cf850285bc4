"""The examples that a network learns from: the rows of a part, and how a batch of them becomes what the network takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from pydantic import BaseModel
from torch import Generator, Tensor

from service.workflow import losses
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import raw_width, shaped_inputs, table_inputs
from service.workflow.errors import InvalidData
from service.workflow.input_tensors import Tensors, take, to
from service.workflow.model import Model
from service.workflow.models.input_shapes import FEATURES
from service.workflow.parts import PARTS
from service.workflow.signature import Signature
from service.workflow.spec_base import shown
from service.workflow.split import Split

LEARNED_FROM = ("train", "validation")
TABLE_ROWS = 8192  # of columns of a table, for which the loss is computed at once

Augment = Callable[[Tensors, Generator], Tensors]


@dataclass(frozen=True)
class Examples:
    """Prepared features and encoded targets [n, t] or [n].

    Args:
        features: of the columns of a table [n, d], on the device; or of all parts together, with tensors whose values have a
            shape: these stay where they are, and each batch is copied to the device.
        targets: on the device.
        rows: the positions of these examples in `features`, int64 [n]; None if all of them are these.
        finish: makes what the network takes of a batch.
        augment: changes a batch before that, at random.
        rows_at_once: rows for which the loss is computed at once, where there are no batches.
    """

    features: Tensors
    targets: Tensor
    rows: Tensor | None = None
    finish: Callable[[Tensors], Tensors] | None = None
    augment: Augment | None = None
    rows_at_once: int = field(default=TABLE_ROWS)

    def __len__(self) -> int:
        return self.targets.shape[0]

    def batch(self, at: Tensor | slice, generator: Generator | None = None) -> Tensors:
        """What the network takes for the examples at these positions; changed at random if there is a generator."""
        found = take(self.features, at if self.rows is None else self.rows[at])
        if generator is not None and self.augment is not None:
            found = self.augment(found, generator)
        return found if self.finish is None else self.finish(to(found, self.targets.device))


@torch.no_grad()
def encode_parts(
    loss: BaseModel,
    signature: Signature,
    model: Model,
    features: Tensors,
    targets: Tensor,
    parts: Split,
    device: torch.device,
    augmented: Mapping[str, Feature] | None = None,
    rows_at_once: int = TABLE_ROWS,
) -> dict[str, Examples]:
    """The examples of each part. What the columns of a table become is computed here once, by the model's preprocessing on the
    CPU; values that have a shape are scaled batch by batch, because the scaled ones take four times the memory.

    Args:
        augmented: the features of the spec, whose options say how the training part is augmented.
        rows_at_once: for which a loss is computed at once, if values have a shape.

    Raises:
        InvalidData: an encoded number of a part that is learned from is beyond a float32; its column is named.
    """
    examples = {}
    prepared = None if isinstance(features, Tensor) else model.prepare(features)
    for name in PARTS:
        rows = parts.part(name)
        scaled = targets[rows] if model.target is None else model.target.scale(targets[rows])
        encoded = losses.encode_target(loss, scaled).to(device)
        if prepared is None:
            made = Examples(model.prepare(take(features, rows)).to(device), encoded)  # type: ignore[union-attr] # a tensor
        else:
            augment = _augmentation(signature, augmented or {}) if name == "train" else None
            made = Examples(prepared, encoded, rows, model.finish, augment, rows_at_once)
        examples[name] = made
        if name in LEARNED_FROM:
            _check_range(signature, made)
    return examples


def _augmentation(signature: Signature, features: Mapping[str, Feature]) -> Augment | None:
    """Augments the inputs whose type does so; None if no input's does."""
    changes = {
        each.name: partial(kind.augment, features[each.name])
        for each, kind in shaped_inputs(signature.inputs)
        if kind.augments and each.name in features
    }
    if not changes:
        return None

    def augment(batch: Tensors, generator: Generator) -> Tensors:
        assert not isinstance(batch, Tensor)  # noqa: S101 - one with shaped inputs is a dict
        return batch | {name: change(batch[name], generator) for name, change in changes.items()}

    return augment


def _check_range(signature: Signature, examples: Examples) -> None:
    # The first encoded columns are the numbers, in the order of the inputs.
    numbers = [each for each in table_inputs(signature.inputs) if not COLUMN_TYPES[each.type].categorical]
    names = [each.name for each in numbers for _ in range(raw_width([each]))]
    encoded = examples.features if isinstance(examples.features, Tensor) else examples.features.get(FEATURES)
    infinite: list[tuple[str, bool]] = []
    if encoded is not None:
        those = encoded if examples.rows is None else encoded[examples.rows]
        infinite += zip(names, those.isinf().any(dim=0).tolist(), strict=False)
    if examples.targets.dim() == 2:  # numbers, not classes
        columns = examples.targets.isinf().any(dim=0).tolist()
        infinite += zip([each.name for each in signature.outputs], columns, strict=True)
    for name, beyond in infinite:
        if beyond:
            raise InvalidData(
                f"the column {shown(name)} holds a number that is beyond what a network can take (a float32): with `normalize` "
                "that is one very far from those of the training part, without it one above 3.4e38"
            )

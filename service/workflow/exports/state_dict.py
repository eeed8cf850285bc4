"""The state_dict as a file for `torch.load(path, weights_only=True)`: a dict of tensors under the names that the state_dict
is shown with. Vocabularies are in the version's manifest."""

from pathlib import Path

import torch

from service.workflow.exports.export import Export
from service.workflow.model import Model
from service.workflow.signature import Signature


def write(model: Model, signature: Signature, path: Path) -> None:
    """Writes the tensors. Raises OSError and RuntimeError when the file cannot be written."""
    # Tensors that were mapped from a file may share one storage, which torch would save whole: so each is copied.
    torch.save({name: tensor.clone() for name, tensor in model.tensors().items()}, path)


EXPORT = Export("application/octet-stream", ".pt", write)

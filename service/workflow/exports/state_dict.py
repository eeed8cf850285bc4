"""The state_dict as a file for `torch.load(path, weights_only=True)`: a dict of tensors under the names that the state_dict
is shown with. Vocabularies are in the version's manifest."""

from pathlib import Path
from typing import cast

import torch

from service.workflow.exports.export import Export, Source
from service.workflow.exports.tensors import predict_by


def write(source: Source, path: Path) -> None:
    """Writes the tensors. Raises OSError and RuntimeError when the file cannot be written."""
    # Tensors that were mapped from a file may share one storage, which torch would save whole: so each is copied.
    torch.save({name: tensor.clone() for name, tensor in source.model.tensors().items()}, path)


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors, mapped into memory."""
    return cast(dict[str, torch.Tensor], torch.load(path, weights_only=True, mmap=True))


EXPORT = Export("application/octet-stream", ".pt", write, predict_by(read))

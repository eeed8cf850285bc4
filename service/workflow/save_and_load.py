"""Step 9, save and load: the state_dict as safetensors, never a pickle."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.model import Model, restore
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.tensor_file import write


def save(model: Model, path: Path) -> None:
    """Writes the model's tensors.

    Raises:
        OSError: it cannot be written, with errno ENOSPC on a full disk.
    """
    write({name: tensor.contiguous() for name, tensor in model.tensors().items()}, path)


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors in a file.

    Raises:
        InvalidData: it is not a safetensors file.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InvalidData("the state_dict is no safetensors file") from error


def load(spec: ResolvedSpec, signature: Signature, path: Path) -> Model:
    """The model, ready to predict.

    Raises:
        InvalidData: the file's tensors are not those of the spec's model.
    """
    try:
        return restore(spec, signature, load_tensors(path))
    except (InvalidData, InvalidSpec, MemoryError, OSError):
        raise
    except Exception as error:  # from torch, or from a plug-in that has changed
        raise InvalidData("the state_dict does not fit the model of the spec") from error

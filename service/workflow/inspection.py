"""Step 5, inspect: parameters() and state_dict()."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.model import empty_model
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.tensor_file import DTYPES
from service.workflow.tensor_header import TensorHeader, read_header

VALUES_AT_ONCE = 2**20  # of a tensor, in float64
NOT_IN_NUMPY = {torch.bfloat16, *(dtype for name, dtype in DTYPES.items() if name.startswith("F8_"))}
STATISTICS = ("mean", "std", "min", "max")


class ParameterSummary(BaseModel):
    """A parameter with the mean, (population) standard deviation, minimum and maximum of its values. They are None without
    values, and where the result is not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    requires_grad: bool
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None


class TensorSummary(BaseModel):
    """What is known of a file of tensors without reading it: the SHA-256 (hex) of its header, and the model's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    header: str
    parameters: list[ParameterSummary]


def summarize(
    spec: ResolvedSpec, signature: Signature, path: Path, tensors: Mapping[str, torch.Tensor]
) -> TensorSummary:
    """The summary of the file of a model's tensors, which are loaded already.

    Raises:
        InvalidData: the file is no safetensors file.
        OSError: it cannot be read.
    """
    header = header_of_file(path)
    listed = [
        parameter.model_copy(update=_statistics(tensors[parameter.name]))
        for parameter in parameters_of(spec, signature, header)
    ]
    return TensorSummary(header=header.sha256, parameters=listed)


def header_of_file(path: Path) -> TensorHeader:
    """The header of a local file of tensors. Raises as `read_header` does, and OSError."""
    with path.open("rb") as file:

        def read(start: int, stop: int) -> bytes:
            file.seek(start)
            return file.read(stop - start)

        return read_header(read, path.stat().st_size)


def parameters_of(spec: ResolvedSpec, signature: Signature, header: TensorHeader) -> list[ParameterSummary]:
    """The parameters of a model, without statistics; other tensors are buffers.

    Raises:
        InvalidData, InvalidSpec: the header's tensors are not those of the spec's model.
    """
    shapes = {name: place.shape for name, place in header.tensors.items()}
    try:
        listed = dict(empty_model(spec, signature, shapes).network.named_parameters())
    except (InvalidSpec, MemoryError):
        raise
    except Exception as error:  # from torch, or from a plug-in that has changed
        raise InvalidData("the header of the tensors does not fit the model of the spec") from error
    if any(shapes.get(name) != parameter.shape for name, parameter in listed.items()):
        raise InvalidData("the tensors in the header are not those of the model of the spec")
    return [ParameterSummary(name=name, requires_grad=parameter.requires_grad) for name, parameter in listed.items()]


def parameters(header: TensorHeader, listed: Iterable[ParameterSummary], *, statistics: bool) -> dict[str, Any]:
    """Each parameter with its shape, dtype and count, and the statistics of its values if they are wanted."""
    shown = [_shown(header, each, statistics) for each in listed]
    return {
        "total": sum(each["count"] for each in shown),
        "trainable": sum(each["count"] for each in shown if each["requires_grad"]),
        "parameters": shown,
    }


def values(tensor: torch.Tensor) -> Any:
    """The values for JSON: a NumPy array, or a number. Those of dtypes that NumPy lacks as float32, complex ones as pairs."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if tensor.dtype in NOT_IN_NUMPY:
        tensor = tensor.float()
    return tensor.numpy() if tensor.dim() else tensor.item()


def _shown(header: TensorHeader, parameter: ParameterSummary, statistics: bool) -> dict[str, Any]:
    place = header.tensors[parameter.name]
    return {
        "name": parameter.name,
        "shape": list(place.shape),
        "dtype": str(DTYPES[place.dtype]).removeprefix("torch."),
        "requires_grad": parameter.requires_grad,
        "count": place.count,
        **({name: getattr(parameter, name) for name in STATISTICS} if statistics else {}),
    }


def _statistics(tensor: torch.Tensor) -> dict[str, float | None]:
    """Some values at a time, so that a large tensor is not copied as a whole. By NumPy, whose sums do not depend on the number of
    threads."""
    count, parts = tensor.numel(), tensor.detach().flatten().split(VALUES_AT_ONCE)
    if not count:
        return dict.fromkeys(STATISTICS)
    with np.errstate(all="ignore"):  # of values that are not finite, or whose squares are not
        mean = np.sum([part.to(torch.float64).numpy().sum() for part in parts]) / count
        each = np.array([_about(part.to(torch.float64).numpy(), mean) for part in parts])
    squares, least, most = each.T
    found = zip(STATISTICS, (mean, np.sqrt(squares.sum() / count), least.min(), most.max()), strict=True)
    return {name: float(value) if np.isfinite(value) else None for name, value in found}


def _about(values: NDArray[np.float64], mean: np.float64) -> tuple[np.float64, np.float64, np.float64]:
    return np.square(values - mean).sum(), values.min(), values.max()


def count(network: torch.nn.Module) -> int:
    """The number of trainable values of a network."""
    return sum(parameter.numel() for parameter in network.parameters())

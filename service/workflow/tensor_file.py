"""Tensors in a file: safetensors, never a pickle."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from service.workflow.tensor_header import TensorPlace

OS_ERROR = re.compile(r"\(os error (\d+)\)")
DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "F8_E5M2": torch.float8_e5m2, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz, "F8_E4M3FNUZ": torch.float8_e4m3fnuz, "I16": torch.int16, "U16": torch.uint16,
    "F16": torch.float16, "BF16": torch.bfloat16, "I32": torch.int32, "U32": torch.uint32, "F32": torch.float32,
    "I64": torch.int64, "U64": torch.uint64, "F64": torch.float64, "C64": torch.complex64,
}  # fmt: skip


def write(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes contiguous tensors that share no memory, and metadata. The write is neither atomic nor durable.

    Raises:
        OSError: it cannot be written, with errno ENOSPC on a full disk.
    """
    try:
        save_file(dict(tensors), path, metadata)
    except SafetensorError as error:  # it names the system's error only in its message
        if (match := OS_ERROR.search(str(error))) is None:
            raise
        raise OSError(int(match[1]), os.strerror(int(match[1]))) from error


def from_bytes(place: TensorPlace, data: bytes) -> Tensor:
    """The tensor whose bytes were read from its place in a file."""
    dtype = DTYPES[place.dtype]
    if not data:
        return torch.empty(place.shape, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(place.shape)

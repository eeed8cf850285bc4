"""The device of a training, and whether it is deterministic."""

import os

import torch

from service.workflow.errors import InvalidData


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is CUDA where it is available, else the CPU.

    Raises:
        InvalidData: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise InvalidData(f"there is no device {name} here; {torch.cuda.device_count()} CUDA devices are, and cpu")
    return device


def make_deterministic(deterministic: bool) -> None:
    """Sets whether this process gives the same bits for the same spec, data and number of threads."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS requires it when CUDA starts
    # Like torch.use_deterministic_algorithms, which also imports torch.compile.
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]

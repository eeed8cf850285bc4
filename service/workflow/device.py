"""On what a training runs, and how exactly it can be repeated."""

import os

import torch

from service.workflow.errors import InvalidData


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes a CUDA device when there is one.

    Raises:
        InvalidData: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise InvalidData(f"there is no device {name} here; {torch.cuda.device_count()} CUDA devices are, and cpu")
    return device


def make_deterministic(wanted: bool) -> None:
    """The same bits from the same spec, data and number of threads, for this whole process."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS wants for it, read when CUDA starts
    # As torch.use_deterministic_algorithms, which loads all of torch.compile to tell it, too.
    torch.set_deterministic_debug_mode("error" if wanted else "default")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]

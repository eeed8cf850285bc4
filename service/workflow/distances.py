"""The distances of the tensors in two files, read piece by piece."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch

from service.workflow.inspection import header_of_file
from service.workflow.tensor_file import DTYPES, from_bytes
from service.workflow.tensor_header import ITEM_BYTES, TensorPlace

VALUES_AT_ONCE = 2**18  # of each tensor, in float64


def distances(a: Path, b: Path, between: Callable[[], None]) -> Iterator[dict[str, Any]]:
    """Each tensor that one of the safetensors files has: its `name`, its `shape` and `dtype` in both (None where a file does not
    have it), the Euclidean distance `l2` and the largest absolute difference `max`. These are None, and `reason` says why, where
    the tensors cannot be subtracted, and also where they are not finite.

    Args:
        a, b: the files.
        between: called between two pieces; it may raise.

    Raises:
        InvalidData: a file is not in the format.
        OSError: a file cannot be read.
    """
    ours, theirs = header_of_file(a).tensors, header_of_file(b).tensors
    with a.open("rb") as first, b.open("rb") as second:
        for name in dict.fromkeys([*ours, *theirs]):
            places = ours.get(name), theirs.get(name)
            l2, most, reason = _distance(first, second, *places, between)
            about = {"name": name, "a": _described(places[0]), "b": _described(places[1])}
            yield about | {"l2": l2, "max": most, "reason": reason}


def _described(place: TensorPlace | None) -> dict[str, Any] | None:
    return (
        None if place is None else {"shape": [*place.shape], "dtype": str(DTYPES[place.dtype]).removeprefix("torch.")}
    )


def _distance(
    first: BinaryIO, second: BinaryIO, a: TensorPlace | None, b: TensorPlace | None, between: Callable[[], None]
) -> tuple[float | None, float | None, str | None]:
    if a is None or b is None:
        return None, None, f"only {'b' if a is None else 'a'} has this tensor"
    if a.shape != b.shape:
        return None, None, "the shapes differ"
    l2, most = 0.0, 0.0
    for start in range(0, a.count, VALUES_AT_ONCE):
        between()
        stop = min(start + VALUES_AT_ONCE, a.count)
        change = (_values(second, b, start, stop) - _values(first, a, start, stop)).abs()
        largest = change.max().item()
        if not math.isfinite(largest):
            return None, None, "not every value, or not every difference, is finite"
        # The squares of differences in units of the largest one neither overflow nor vanish.
        l2 = math.hypot(l2, largest * (change / largest).square().sum().sqrt().item()) if largest else l2
        most = max(most, largest)
    return (l2 if math.isfinite(l2) else None), most, None


def _values(file: BinaryIO, place: TensorPlace, start: int, stop: int) -> torch.Tensor:
    """The values from `start` up to `stop` of a tensor as it lies in the file, float64 [m]."""
    size = ITEM_BYTES[place.dtype]
    piece = TensorPlace(place.dtype, (stop - start,), place.start + start * size, place.start + stop * size)
    file.seek(piece.start)
    values = from_bytes(piece, file.read(piece.stop - piece.start))
    return (torch.view_as_real(values).flatten() if values.is_complex() else values).to(torch.float64)

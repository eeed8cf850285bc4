"""From columns of values to the tensors that a model takes, the same for training and for predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from service.workflow.data.schema import Scalar
from service.workflow.data.table import Table
from service.workflow.errors import InvalidData
from service.workflow.signature import Input, Output
from service.workflow.specification import shown


def raw_features(inputs: Sequence[Input], columns: Mapping[str, np.ndarray[Any, Any]]) -> torch.Tensor:
    """The features as float32 [n, inputs], NaN where a value is missing."""
    return torch.from_numpy(np.stack([columns[each.name].astype(np.float32, copy=False) for each in inputs], axis=1))


def raw_targets(outputs: Sequence[Output], table: Table) -> torch.Tensor:
    """The targets as float64 [n, outputs]: numbers as they are, classes as their position among the sorted classes.

    Raises:
        InvalidData: a target is missing or not finite; the row is named.
    """
    return torch.from_numpy(np.stack([_target(each, table.columns[each.name]) for each in outputs], axis=1))


def _target(output: Output, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if output.classes is None:
        numbers = values.astype(np.float64)
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise InvalidData(f"the target {output.name!r} is missing or not finite in row {row}")
        return numbers
    positions: dict[Scalar, int] = {value: i for i, value in enumerate(output.classes)}
    codes = np.array([positions.get(value, -1) for value in values.tolist()], dtype=np.float64)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        raise InvalidData(f"the target {output.name!r} is {shown(values[row])} in row {row}, which is no known class")
    return codes

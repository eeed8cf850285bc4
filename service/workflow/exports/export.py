"""The interface of an export."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from service.workflow.data.table import Table
from service.workflow.model import Model
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Source:
    """What an export is written from: one version, without its name and number, which are not part of its digest."""

    manifest: Mapping[str, Any]  # as the store keeps it
    digest: str  # of the version, in hex
    spec: ResolvedSpec
    signature: Signature
    state_dict: Path  # the safetensors file of the version
    model: Model  # ready to predict; not to be changed


@dataclass(frozen=True)
class Answers:
    """Answers to rows.

    `values` [n, outputs] are what `Model.forward` returns: numbers, or the probability of each class or label. `labels` are
    the text of the class of each row, or for several labels a list with the name of each label that is predicted, in the
    order of the signature. They are None where an export only has the values.
    """

    values: Array
    labels: list[str] | list[list[str]] | None = None


Predict = Callable[[Table], Answers]


@dataclass(frozen=True)
class Export:
    """A file format that a model can be exported to.

    `write` writes the file, and `predict` opens a file that this process has just written, so that its answers to rows can be
    compared with the model's (`check.py`). Both may raise any error: it is the reason why the model cannot be exported.
    """

    media_type: str
    suffix: str  # of the file's name, with the dot
    write: Callable[[Source, Path], None] | None  # None if it is the file that the store keeps
    predict: Callable[[Source, Path], Predict]
    packages: tuple[str, ...] = ()  # by the names that they are imported under; they may be missing

"""The interface of an export."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.workflow.model import Model
from service.workflow.signature import Signature


@dataclass(frozen=True)
class Export:
    """A file format that a model can be exported to.

    Args:
        media_type: the file's Content-Type.
        suffix: of the file's name, with the dot.
        write: writes the model to a path. None where the file that the store keeps of every version is the export.
    """

    media_type: str
    suffix: str
    write: Callable[[Model, Signature, Path], None] | None

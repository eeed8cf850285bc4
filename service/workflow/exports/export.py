"""The interface of an export."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.workflow.model import Model
from service.workflow.signature import Signature


@dataclass(frozen=True)
class Export:
    """A file format that a model can be exported to. `write` writes the model to a path; it is None where the export is the
    file that the store keeps of every version."""

    media_type: str
    suffix: str  # of the file's name, with the dot
    write: Callable[[Model, Signature, Path], None] | None

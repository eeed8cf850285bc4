"""The errors of the workflow. The docstring of each class is its default message."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault of a document: an RFC 6901 pointer to it, and what would be right."""

    pointer: str
    message: str


def step(name: object) -> str:
    """A name or a position as one step of an RFC 6901 pointer, with its slash."""
    return "/" + str(name).replace("~", "~0").replace("/", "~1")


class WorkflowError(Exception):
    """An error of the workflow."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class InvalidSpec(WorkflowError):
    """The spec is not valid."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.message}" for fault in faults))
        self.faults = faults


class InvalidPlugin(WorkflowError):
    """An installed kind of model cannot be used."""


def invalid(pointer: str, message: str) -> InvalidSpec:
    """An InvalidSpec with one fault."""
    return InvalidSpec(Fault(pointer, message))


class InvalidInstances(WorkflowError):
    """The instances do not fit the model's inputs."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.message}" for fault in faults))
        self.faults = faults


class InvalidData(WorkflowError):
    """The data cannot be read or cannot be learned from."""


class BrokenFiles(InvalidData):
    """Too many files of a data set are broken. `faults` are the first of them: the pointer is `/` and the name of the file."""

    def __init__(self, message: str, faults: Sequence[Fault]) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class TrainingDiverged(WorkflowError):
    """The loss became NaN or infinite."""


class CheckpointUnfit(WorkflowError):
    """The checkpoint is not of this training."""


class InvalidRows(WorkflowError):
    """The tensor has no such rows."""


class NotAvailable(WorkflowError):
    """This model has no such thing."""


class NoIntervals(WorkflowError):
    """This version has no intervals."""


class ExportFailed(WorkflowError):
    """The model could not be exported."""

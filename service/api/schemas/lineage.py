"""The lineage of a version."""

from typing import Literal

from typing_extensions import TypedDict

from service.api.schemas.answer import closed

# `elsewhere`: the service that trained the version had it; what this one has under that name, if anything, is another.
# `unknown`: the storage cannot be read now.
State = Literal["kept", "deleted", "elsewhere", "damaged", "unknown"]


@closed
class Source(TypedDict):
    """The data of a training: its kind in the spec, and for a data set its name and version. `digest` is the SHA-256 of the
    data as the training has read them."""

    kind: str
    dataset: str | None
    version: int | None
    digest: str | None
    state: State


@closed
class TrainingJob(TypedDict):
    """A training job."""

    id: str
    state: State


@closed
class Ancestor(TypedDict):
    """A version that a training started from. `digest` is null if neither it is here nor its digest was recorded."""

    name: str
    version: int
    digest: str | None
    state: State
    data: Source | None
    job: TrainingJob | None


@closed
class Descendant(TypedDict):
    """A version whose training started from this one."""

    name: str
    version: int
    digest: str
    state: State


@closed
class KeptExport(TypedDict):
    """An export of the version that this service has on its disk. `digest` is the SHA-256 of the file."""

    name: str
    digest: str
    bytes: int


@closed
class Lineage(TypedDict):
    """What a version comes from, and what comes from it. `initial` are the version that its training started from, the one
    that that started from, and so on; `initial_complete` is false if they were not followed to the first. `derived_complete` is
    false if not every version was searched. `signed`: whether it has a signature, which is not verified here; null if that cannot
    be read."""

    name: str
    version: int
    digest: str
    signed: bool | None
    data: Source
    job: TrainingJob | None
    initial: list[Ancestor]
    initial_complete: bool
    exports: list[KeptExport]
    derived: list[Descendant]
    derived_complete: bool

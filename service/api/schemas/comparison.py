"""Two versions of a model side by side."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from service.api.schemas.answer import closed


@closed
class ComparedVersion(TypedDict):
    """One of the two versions."""

    version: int
    digest: str
    created_at: str


@closed
class Difference(TypedDict):
    """A place where two documents differ, as a JSON pointer, and its values; `a` or `b` is left out where the document does not
    have the place. Long texts are cut off, and of large lists and objects only the size is said."""

    pointer: str
    a: NotRequired[Any]
    b: NotRequired[Any]


@closed
class Differences(TypedDict):
    """The differences of two documents; `complete` is false if there are more."""

    differences: list[Difference]
    complete: bool


@closed
class Pair(TypedDict):
    """A metric of both versions, null where it is not defined or not recorded."""

    a: float | None
    b: float | None


@closed
class TensorForm(TypedDict):
    """The shape and the dtype of a tensor."""

    shape: list[int]
    dtype: str


@closed
class TensorDistance(TypedDict):
    """A tensor of the state_dict in both versions, null where a version does not have it: the Euclidean distance and the largest
    absolute difference, null if there are none; then `reason` says why."""

    name: str
    a: TensorForm | None
    b: TensorForm | None
    l2: float | None
    max: float | None
    reason: str | None


@closed
class ComparedParameters(TypedDict):
    """The numbers of parameters, the distance of all tensors together, null if it is not known of one of them, and each tensor:
    the parameters, and buffers such as the fitted preprocessing."""

    a: int | None
    b: int | None
    l2: float | None
    tensors: list[TensorDistance]


@closed
class Comparison(TypedDict):
    """Two versions of a model. `data` compares `data`, `split` and `ranges` of the manifests; `metrics` has every metric by
    part."""

    name: str
    a: ComparedVersion
    b: ComparedVersion
    spec: Differences
    signature: Differences
    data: Differences
    metrics: dict[str, dict[str, Pair]]
    parameters: ComparedParameters

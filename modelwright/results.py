"""What the service answers, as objects: the JSON itself, whose fields are attributes, too."""

from collections.abc import Callable, Mapping, Sized
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from modelwright.json_types import is_list, is_object

_SHOWN = 4  # items of a list or an object

Within: TypeAlias = Mapping[str, Callable[[Mapping[str, Any]], "Result"]]


class Result(dict[str, Any]):
    """A JSON object of the service. `result.name` and `result["name"]` are the same; so are fields that only a newer service
    has. It is a dictionary, which `json.dumps` writes as the service has sent it.

    Raises:
        AttributeError: this answer has no such field.
    """

    within: ClassVar[Within] = {}  # fields that are such objects themselves, or lists of them

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__()
        self.take(fields)

    def take(self, fields: Mapping[str, Any]) -> None:
        """Has these fields from now on, and no others."""
        fields = dict(fields)
        self.clear()
        for name, value in fields.items():
            self[name] = _typed(value, self.within[name]) if name in self.within else value

    if not TYPE_CHECKING:  # so that a misspelt attribute is an error of types

        def __getattr__(self, name):
            """A field."""
            try:
                return self[name]
            except KeyError:
                known = ", ".join(sorted(map(str, self)))
                raise AttributeError(f"this {type(self).__name__} has no field {name!r}; it has {known}") from None

        def __setattr__(self, name, value):
            """Refuses, as a changed object would say what the service does not."""
            raise AttributeError(f"a {type(self).__name__} says what the service has answered; {name!r} cannot be set")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_short(value)}" for name, value in self.items())
        return f"{type(self).__name__}({shown})"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for name in self if name.isidentifier())]


def _typed(value: Any, kind: Callable[[Mapping[str, Any]], Result]) -> Any:
    if is_object(value):
        return kind(value)
    if is_list(value):
        return [_typed(each, kind) for each in value]
    return value


def _short(value: Any) -> str:
    size = len(value) if isinstance(value, Sized) and not isinstance(value, Result | str) else 0
    if size > _SHOWN:
        return f"<{size} items>"
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


class Problem(Result):
    """Why a job failed, or an item of a list cannot be read: a stable `code`, and a sentence."""

    code: str
    detail: str


class Outcome(Result):
    """What a job has come to: the version that it has published. That of a trial of a sweep is None unless the sweep keeps
    versions; it has the `metrics` of the parts and the `losses`, too."""

    model_name: str
    version: int | None


class OfSweep(Result):
    """The sweep that a job is a trial of, and the trial's number; the winner trains its settings again for the version.
    `vectorized` are the numbers of the trials that it trains together."""

    id: str
    number: int
    winner: bool
    vectorized: list[int]


class Trial(Result):
    """One trial of a sweep: its settings by their paths in the spec, its job, and what it came to."""

    within: ClassVar[Within] = {"error": Problem}
    number: int
    job_id: str | None
    status: str
    objective: float | None
    version: int | None
    error: Problem | None
    vectorized: bool

    @property
    def settings(self) -> dict[str, Any]:
        """The values of the fields that are searched, by their paths."""
        found: dict[str, Any] = self["values"]
        return found


class Attempt(Result):
    """One attempt at a job: when it ran, the job's status at its end, and the cause, unless it succeeded."""

    within: ClassVar[Within] = {"cause": Problem}
    attempt: int
    started_at: str
    ended_at: str | None
    status: str | None
    cause: Problem | None


class Event(Result):
    """Something that happened to a job: `type` is status, metrics or message."""

    id: int
    type: str
    created_at: str
    data: dict[str, Any]


class Metrics(Result):
    """The series of each metric over the epochs so far: lists of equal length, such as `train_loss`, by name."""

    epoch: list[int]
    train_loss: list[float | None]


class Plan(Result):
    """A spec with every default filled in, the number of parameters, the rows of each part, and warnings."""

    spec: dict[str, Any]
    parameters: int
    rows: dict[str, int]
    warnings: list[str]


class Reading(Result):
    """How a file is read. `missing` are the words for a missing value, besides an empty cell."""

    compression: str | None
    encoding: str
    separator: str | None
    decimal: str
    missing: list[str]
    skip_lines: int
    sheet: str | None
    date_formats: dict[str, str]


class Column(Result):
    """A column of a data set: its type and why it has it, and whether it is a feature by default."""

    name: str
    type: str
    missing: int
    distinct: int | None
    examples: list[str]
    reason: str
    feature: bool
    statistics: dict[str, Any]
    distribution: dict[str, Any] | None


class Dataset(Result):
    """A version of a data set. `notes` are remarks on how it was read; of a damaged one `error` says what is wrong."""

    within: ClassVar[Within] = {"reading": Reading, "columns": Column, "error": Problem}
    name: str
    version: int | None
    rows: int | None
    bytes: int | None
    digest: str | None
    media_type: str | None
    created_at: str | None
    reading: Reading | None
    notes: list[str]
    columns: list[Column]
    error: Problem | None


class Published(Result):
    """A version that was imported or copied. `new`, in results of `push` and `pull`, is whether anything was sent."""

    name: str
    version: int
    digest: str
    new: bool


class Parameter(Result):
    """One parameter: its shape and dtype, and statistics of its values unless they were not asked for."""

    name: str
    shape: list[int]
    dtype: str
    requires_grad: bool
    count: int


class Parameters(Result):
    """All parameters of a version, and how many numbers they are."""

    within: ClassVar[Within] = {"parameters": Parameter}
    total: int
    trainable: int
    parameters: list[Parameter]


class Alias(Result):
    """An alias and its version, and the number of its newest entry; `version` is None if it was deleted or is damaged."""

    within: ClassVar[Within] = {"error": Problem}
    alias: str
    version: int | None
    entry: int
    created_at: str | None
    error: Problem | None


class Retention(Result):
    """A retention rule, and the versions that it deletes next."""

    name: str
    last: int | None
    days: int | None
    created_at: str
    expired: list[int]


class Predictions(Result):
    """One prediction for each instance, and the version that has made them."""

    model_name: str
    model_version: int
    predictions: list[Any]


class Explanations(Result):
    """What each input adds to the answer to each instance: each of `attributions` has a number for each input, whose sum is the
    explained answer less that of the `baseline`, which has an `instance` and the `prediction` for it. `explained` is the class of
    each instance whose probability that is, or the target; of several targets the attributions are by target first."""

    model_name: str
    model_version: int
    method: str
    explained: list[Any]
    attributions: list[dict[str, Any]]
    predictions: list[Any]
    baseline: dict[str, Any]


class Upload(Result):
    """A resumable upload: how many bytes it will have, how many it has, and when it expires."""

    id: str
    length: int
    offset: int
    expires_at: str


class Key(Result):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    damaged: bool


class ServiceDescription(Result):
    """The service: its software, and what the caller may do; `administration` is for administrators only."""

    name: str
    version: str
    software: dict[str, str]
    keys_required: bool
    key: str | None
    scopes: list[str]
    administration: dict[str, Any] | None


class NewKey(Key):
    """A new key; `key` is the secret, which is in this answer only."""

    key: str


class Change(Result):
    """One thing that a request has changed; what it was before is `change["from"]`, as that is a word of Python."""

    what: str
    on: str
    to: Any


class AuditLine(Result):
    """An attempt at a change: its time, key, request and status, and what was changed."""

    within: ClassVar[Within] = {"changes": Change, "error": Problem}
    id: str
    at: str
    who: str | None
    key_id: str | None
    request_id: str | None
    method: str | None
    path: str | None
    status: int | None
    changes: list[Change]


class Lineage(Result):
    """What a version comes from, and what comes from it, as far as this service knows."""

    name: str
    version: int
    digest: str
    data: dict[str, Any]
    job: dict[str, Any] | None
    initial: list[dict[str, Any]]
    initial_complete: bool
    exports: list[dict[str, Any]]
    signed: bool | None
    derived: list[dict[str, Any]]
    derived_complete: bool


class Comparison(Result):
    """Two versions of a model: the differences of their documents, every metric of both, and the distances of their tensors."""

    name: str
    a: dict[str, Any]
    b: dict[str, Any]
    spec: dict[str, Any]
    signature: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    parameters: dict[str, Any]


class InputImportance(Result):
    """How much a version depends on one input: mean and standard deviation of the rise of the loss over the permutations."""

    input: str
    mean: float
    std: float


class Importance(Result):
    """How much a version depends on each input: by how much the loss rises when the input's values are exchanged between `rows`
    rows of `part`. `loss` is that without a permutation, and `measure` says which it is: `log_loss`, or
    `relative_squared_error`, in variances of the target. `inputs` begins with the most important one; `left_out` counts those
    that were not measured."""

    within: ClassVar[Within] = {"inputs": InputImportance}
    part: str
    rows: int
    permutations: int
    measure: str
    loss: float
    inputs: list[InputImportance]
    left_out: int

"""Models, their versions and their aliases."""

from typing import Any, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from model_store import Version as StoredVersion
from service.api.schemas.answer import Page, closed


class LatestRow(TypedDict):
    """What lists of models show of the latest version."""

    metrics: dict[str, Any] | None
    created_at: str


def latest_row(version: StoredVersion) -> LatestRow:
    """The row of a model whose latest version this is."""
    return {"metrics": version.manifest.get("metrics"), "created_at": version.created_at}


@closed
class Model(TypedDict):
    """A model, by its latest version. If that is damaged, `metrics` and `created_at` are null and `error` has `code` and
    `detail`. A damaged alias is null and also sets `error`. `latest` is null while the storage cannot be read."""

    name: str
    latest: int | None
    versions: int
    aliases: dict[str, int | None]
    metrics: dict[str, Any] | None
    created_at: str | None
    error: dict[str, Any] | None


@closed
class ShownModel(Model):
    """A model, with the fields that clients of KServe and TensorFlow Serving expect."""

    ready: bool
    model_version_status: list[dict[str, Any]]


class ModelPage(Page[Model]):
    """A list of models; `models` has their names."""

    models: list[str]


@closed
class Version(TypedDict):
    """A version of a model. If its manifest is damaged, its fields are null and `error` has `code` and `detail`."""

    name: str
    version: int
    digest: str | None
    created_at: str | None
    aliases: list[str]
    metrics: dict[str, Any] | None
    job: str | None
    error: dict[str, Any] | None


@with_config(ConfigDict(extra="allow"))
class Manifest(Version):
    """A version with its whole manifest. `slices` are the metrics by group, if columns of the data make groups. `importance` says
    how much the model depends on each input; versions from before it was recorded, and models for which it cannot be measured,
    have none. `warnings` say what may make the metrics better than the model is. `baseline` is the row from which answers are
    explained; versions from before it was recorded have none. `conformal` has the scores of the calibration part, if there is
    one, and `threshold` what decides between two classes, if the spec asks for one."""

    spec: dict[str, Any]
    signature: dict[str, Any]
    files: dict[str, Any]
    environment: dict[str, Any]
    slices: NotRequired[dict[str, Any]]
    importance: NotRequired[dict[str, Any]]
    warnings: NotRequired[list[str]]
    baseline: NotRequired[dict[str, Any]]
    conformal: NotRequired[dict[str, Any]]
    threshold: NotRequired[dict[str, Any]]


@closed
class Retention(TypedDict):
    """A retention rule: the `last` versions and those of the last `days` are kept; null says nothing. `expired` has the versions
    that neither keeps."""

    name: str
    last: int | None
    days: int | None
    created_at: str
    expired: list[int]


@closed
class Published(TypedDict):
    """A version that was imported."""

    name: str
    version: int
    digest: str
    created_at: str


@closed
class Parameters(TypedDict):
    """All parameters, each with statistics of its values unless `statistics=false`; `std` is the population standard
    deviation."""

    total: int
    trainable: int
    parameters: list[dict[str, Any]]


@closed
class Alias(TypedDict):
    """An alias and its version. `version` is null if the alias was deleted, or is damaged: then there is an `error`."""

    alias: str
    version: int | None
    entry: int
    created_at: str | None
    error: dict[str, Any] | None

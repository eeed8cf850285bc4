"""Models, their versions and their aliases."""

from typing import Any

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from service.api.schemas.answer import Page, closed


@closed
class Model(TypedDict):
    """A model, by its latest version; `metrics` and `created_at` are null when that one is damaged, and `error` then has a
    `code` and a `detail`. A damaged alias points at null, and is an `error`, too. `latest` is null while the storage cannot
    be read."""

    name: str
    latest: int | None
    versions: int
    aliases: dict[str, int | None]
    metrics: dict[str, Any] | None
    created_at: str | None
    error: dict[str, Any] | None


@closed
class ShownModel(Model):
    """A model; also with what the clients of KServe and TF Serving look for."""

    ready: bool
    model_version_status: list[dict[str, Any]]


class ModelPage(Page[Model]):
    """A list of models; `models` has their names alone."""

    models: list[str]


@closed
class Version(TypedDict):
    """A version of a model; what its manifest says is null when that is damaged, and `error` has a `code` and a `detail`."""

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
    """A version with all of its manifest."""

    spec: dict[str, Any]
    signature: dict[str, Any]
    files: dict[str, Any]
    environment: dict[str, Any]


@closed
class Published(TypedDict):
    """A version that was just taken in."""

    name: str
    version: int
    digest: str
    created_at: str


@closed
class Parameters(TypedDict):
    """Every parameter, and what its values are like; `std` is the population's."""

    total: int
    trainable: int
    parameters: list[dict[str, Any]]


@closed
class Alias(TypedDict):
    """Where an alias points; `version` is null where it was deleted or is damaged, of which `error` then tells."""

    alias: str
    version: int | None
    entry: int
    created_at: str | None
    error: dict[str, Any] | None

"""Predict: from a reference to a version in the store, and from there to a model in memory."""

import logging
import threading

from model_store import Store, Version
from model_store.errors import AliasNotFound, NotFound
from service.serving.forward import forward
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm, WarmModels
from service.use_cases.open_model import open_model

PRODUCTION = "production"
dry_run = threading.Lock()  # one at a time: a single row of a large model may take much memory
log = logging.getLogger(__name__)


def choose(store: Store, name: str, reference: str | None) -> Version:
    """The version that a reference means; without one `production` if that alias is set, else the latest.

    Raises:
        NameNotFound, VersionNotFound, VersionCorrupt: there is no such version, or it is damaged.
    """
    if reference is not None:
        return store.resolve(name, reference)
    try:
        store.aliases.get(name, PRODUCTION)
    except (AliasNotFound, NotFound):
        return store.resolve(name, "latest")
    return store.resolve(name, PRODUCTION)


def load(store: Store, models: WarmModels, version: ServedVersion) -> Warm:
    """The version's model, in memory.

    Raises:
        NameNotFound, VersionNotFound: it was deleted.
        VersionCorrupt: its files are not what its manifest says.
    """
    return models.get(version.digest, lambda: _loaded(store, version))


def _loaded(store: Store, version: ServedVersion) -> Warm:
    """The model after a dry run: what torch makes on a first use is made before the first request."""
    warm = Warm(*open_model(store, store.models.get(version.name, version.number)))
    warm.versions.add(version)
    warm.rows_at_once  # noqa: B018 - the cost of its forward is measured here, not in the event loop
    try:
        with dry_run:
            forward(warm, warm.blank_row())
    except Exception:
        log.exception("the dry run of %s, version %d, failed", version.name, version.number)
    return warm


def served(version: Version) -> ServedVersion:
    """The version of the store as the predictor knows it."""
    return ServedVersion(version.digest, version.name, version.number)

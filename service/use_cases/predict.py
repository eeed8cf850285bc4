"""Predict: from a version in the store to a warm model."""

import logging
import threading

from model_store import Store, Version
from model_store.errors import AliasNotFound, NotFound
from service.serving.answers import forward
from service.serving.warm_models import Warm, WarmModels
from service.use_cases.open_model import open_model

PRODUCTION = "production"
dry_run = threading.Lock()  # one at a time: a single row of a large model may take much
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


def warm(store: Store, models: WarmModels, version: Version) -> Warm:
    """The version's model, in memory. Its manifest is read again: who remembers a version need not keep that.

    Raises:
        NameNotFound, VersionNotFound: it was deleted.
        VersionCorrupt: its files are not what its manifest says.
    """
    return models.get(version.digest, lambda: _loaded(store, store.models.get(version.name, version.number)))


def _loaded(store: Store, version: Version) -> Warm:
    """The model after a dry run: what torch makes on a first use is made before the first client waits for it."""
    loaded = Warm(*open_model(store, version))
    loaded.served(version.name, version.number)
    loaded.rows_at_once  # noqa: B018 - what its forward costs is measured here, and not when the event loop asks
    try:
        with dry_run:
            forward(loaded, loaded.blank_row())
    except Exception:
        log.exception("the dry run of %s, version %d, failed", version.name, version.number)
    return loaded

"""Resolves references in the store, and loads models for predictions."""

import logging
import threading

from model_store import Store, Version
from model_store.errors import AliasNotFound, NotFound
from service.serving.forward import forward
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm, WarmModels
from service.signatures.signatures import Signatures
from service.use_cases.open_model import open_model, scores_of

PRODUCTION = "production"
dry_run = threading.Lock()  # one at a time: a single row of a large model may take much memory
log = logging.getLogger(__name__)


def choose(store: Store, name: str, reference: str | None) -> Version:
    """Resolves a reference; None means the alias `production` if that is set, or else the latest version.

    Raises:
        NameNotFound, VersionNotFound, VersionCorrupt: the version does not exist, or is damaged.
    """
    if reference is not None:
        return store.resolve(name, reference)
    try:
        store.aliases.get(name, PRODUCTION)
    except (AliasNotFound, NotFound):
        return store.resolve(name, "latest")
    return store.resolve(name, PRODUCTION)


def load(store: Store, models: WarmModels, signatures: Signatures, version: ServedVersion) -> Warm:
    """Loads a version's model into memory, unless it is there. Its signature is verified only when it is loaded: a digest has one
    content, and the trusted keys are those of the start.

    Raises:
        NameNotFound, VersionNotFound: the version was deleted.
        VersionCorrupt: its files do not match its manifest.
        NotTrusted: signatures are required, and no trusted key has signed it.
    """
    return models.get(version.digest, lambda: _loaded(store, signatures, version))


def _loaded(store: Store, signatures: Signatures, version: ServedVersion) -> Warm:
    """Loads the model, and does a dry run: torch initializes lazily, which must not delay the first request."""
    found = store.models.get(version.name, version.number)
    signatures.check_version(store.models, found)
    warm = Warm(*open_model(store, found), scores_of(found))
    warm.versions.add(version)
    warm.rows_at_once  # noqa: B018 - the cost of its forward is measured here, not in the event loop
    try:
        with dry_run:
            forward(warm, warm.blank_row())
    except Exception:
        log.exception("the dry run of %s, version %d, failed", version.name, version.number)
    return warm


def served(version: Version) -> ServedVersion:
    """Converts a version of the store for the predictor."""
    return ServedVersion(version.digest, version.name, version.number)

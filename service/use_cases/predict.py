"""Predict: from a version in the store to a warm model."""

from model_store import Store, Version
from model_store.errors import AliasNotFound, NotFound, VersionCorrupt
from service.serving.warm_models import Warm, WarmModels
from service.use_cases.train import STATE_DICT
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.save_and_load import load
from service.workflow.signature import Signature
from service.workflow.spec import parse

PRODUCTION = "production"


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
    """The version's model, in memory.

    Raises:
        VersionCorrupt: its files are not what its manifest says.
    """
    return models.get(version.digest, lambda: _load(store, version))


def _load(store: Store, version: Version) -> Warm:
    try:
        spec = parse({**version.manifest["spec"], "model_name": version.name})
        signature = Signature.model_validate(version.manifest["signature"])
        model = load(spec, signature, store.models.path(version, STATE_DICT))
    except (InvalidData, InvalidSpec, KeyError, ValueError) as error:
        reason = "its manifest and its state_dict do not make a model"
        raise VersionCorrupt(version.name, version.number, STATE_DICT, reason) from error
    return Warm(model, signature)

"""Open a model: from a version in the store to a module that predicts."""

from model_store import Store, Version
from model_store.errors import VersionCorrupt
from model_store.os_errors import storage_errors
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.model import Model
from service.workflow.save_and_load import load
from service.workflow.signature import Signature
from service.workflow.spec import parse_resolved

STATE_DICT = "state_dict.safetensors"


def open_model(store: Store, version: Version) -> tuple[Model, Signature]:
    """The version's model and signature.

    Raises:
        VersionCorrupt: its files are not what its manifest says, or make no model.
    """
    try:
        spec = parse_resolved({**version.manifest["spec"], "model_name": version.name})
        signature = Signature.model_validate(version.manifest["signature"])
        with storage_errors():
            model = load(spec, signature, store.models.path(version, STATE_DICT))
    except (InvalidData, InvalidSpec, KeyError, ValueError) as error:
        reason = "its manifest and its state_dict do not make a model"
        raise VersionCorrupt(version.name, version.number, STATE_DICT, reason) from error
    return model, signature


def signature_of(version: Version) -> Signature:
    """What the version's model takes and answers, without opening it.

    Raises:
        VersionCorrupt: its manifest does not say.
    """
    try:
        return Signature.model_validate(version.manifest["signature"])
    except (KeyError, ValueError) as error:
        raise VersionCorrupt(version.name, version.number, "manifest.json", "it has no signature") from error

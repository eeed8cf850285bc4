"""Open a model: from a version to a module that predicts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_store import Store, Version
from model_store.errors import VersionCorrupt
from model_store.os_errors import storage_errors
from service.use_cases.attempt_store import STATE_DICT
from service.workflow.conformal import Conformal, conformal_of
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.model import Model
from service.workflow.save_and_load import load
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec, parse_resolved


def open_model(store: Store, version: Version) -> tuple[Model, Signature]:
    """The version's model and signature.

    Raises:
        VersionCorrupt: its files are not what its manifest says, or make no model.
    """
    with store.models.local_file(version, STATE_DICT) as path:
        return open_files(version.name, version.number, version.manifest, path)


def open_files(name: str, number: int, manifest: Mapping[str, Any], state_dict: Path) -> tuple[Model, Signature]:
    """The model and signature of a version whose files are on the local disk. Raises VersionCorrupt."""
    try:
        spec = parse_resolved({**manifest["spec"], "model_name": name})
        signature = Signature.model_validate(manifest["signature"])
        with storage_errors():
            model = load(spec, signature, state_dict)
    except (InvalidData, InvalidSpec, KeyError, ValueError) as error:
        reason = "its manifest and its state_dict do not make a model"
        raise VersionCorrupt(name, number, STATE_DICT, reason) from error
    return model, signature


def scores_of(version: Version) -> Conformal | None:
    """The scores of the version's calibration part, if it has one. Raises VersionCorrupt."""
    try:
        return conformal_of(version.manifest)
    except ValueError as error:
        reason = "the scores of its calibration part are none"
        raise VersionCorrupt(version.name, version.number, "manifest.json", reason) from error


def signature_of(version: Version) -> Signature:
    """The signature of the version's model. Raises VersionCorrupt when its manifest has none."""
    try:
        return Signature.model_validate(version.manifest["signature"])
    except (KeyError, ValueError) as error:
        raise VersionCorrupt(version.name, version.number, "manifest.json", "it has no signature") from error


def recorded_spec(version: Version) -> ResolvedSpec:
    """The spec that the version was trained by. Raises VersionCorrupt when its manifest has none that this service knows."""
    try:
        return parse_resolved({**version.manifest["spec"], "model_name": version.name})
    except (KeyError, TypeError, InvalidSpec) as error:
        raise VersionCorrupt(version.name, version.number, "manifest.json", "it has no spec") from error

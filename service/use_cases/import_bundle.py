"""Take in a bundle: check every file, see that it makes a model, then publish it."""

from pathlib import Path

from model_store import Store, Version, read_bundle
from model_store.errors import InvalidBundle, NotFound
from model_store.manifest import encode_manifest, manifest_digest
from service.use_cases.open_model import STATE_DICT
from service.use_cases.train import HISTORY, POINTS
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.look.points import Points
from service.workflow.save_and_load import load
from service.workflow.signature import Signature
from service.workflow.spec import parse

FILES = {STATE_DICT, POINTS, HISTORY}


def import_bundle(store: Store, name: str, path: Path, max_bytes: int) -> tuple[Version, bool]:
    """The version with the bundle's digest, and whether it is new.

    Raises:
        InvalidBundle: the file breaks a rule, or its parts do not make a model; the member is named.
    """
    folder = path.with_name("members")
    folder.mkdir()
    draft = read_bundle(path, folder, max_bytes)
    _check_model(draft.manifest, draft.files)
    try:
        known = store.models.find(name, manifest_digest(encode_manifest(draft.manifest)))
    except NotFound:
        known = None
    if known is not None:
        return known, False
    return store.models.publish(name, draft.manifest, draft.files), True


def _check_model(manifest: object, files: dict[str, Path]) -> None:
    if set(files) != FILES:
        raise InvalidBundle(None, f"a model's files are {', '.join(sorted(FILES))}")
    try:
        assert isinstance(manifest, dict)  # noqa: S101 - read_bundle gives nothing else
        spec = parse({**manifest["spec"], "model_name": "model"})
        signature = Signature.model_validate(manifest["signature"])
    except (InvalidSpec, KeyError, TypeError, ValueError) as error:
        raise InvalidBundle("manifest.json", "its spec or signature is none of this software's") from error
    try:
        load(spec, signature, files[STATE_DICT])
    except (InvalidData, AssertionError, AttributeError) as error:
        raise InvalidBundle(f"files/{STATE_DICT}", "its tensors are not those of the model in the manifest") from error
    try:
        Points.model_validate_json(files[POINTS].read_bytes())
    except ValueError as error:
        raise InvalidBundle(f"files/{POINTS}", "it does not hold the points of a model's plots") from error

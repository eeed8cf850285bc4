"""Take in a bundle: check every file, see that it makes a model, then publish it."""

from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from model_store import Store, Version, read_bundle
from model_store.contents import MANIFEST
from model_store.errors import BundleMadeByNewer, InvalidBundle
from model_store.os_errors import storage_errors
from model_store.store import MODEL_FORMAT
from service.serving.answers import predictions
from service.serving.warm_models import Warm
from service.use_cases.cancellation import check_cancelled
from service.use_cases.open_model import STATE_DICT
from service.use_cases.predict import dry_run
from service.use_cases.train import HISTORY, POINTS
from service.workflow.encode import answers_dtype, raw_dtype
from service.workflow.errors import InvalidSpec
from service.workflow.look.points import Points
from service.workflow.model import Model
from service.workflow.save_and_load import load
from service.workflow.signature import Signature
from service.workflow.spec import parse

FILES = {STATE_DICT, POINTS, HISTORY}
HISTORIES = TypeAdapter(dict[str, list[float | None]])


@storage_errors()
def import_bundle(store: Store, name: str, path: Path, max_bytes: int, max_model_bytes: int) -> tuple[Version, bool]:
    """The version with the bundle's digest, and whether it is new.

    Raises:
        InvalidBundle: the file breaks a rule, or its parts do not make a model; the member is named.
        BundleMadeByNewer: its manifest has a format that this software does not know.
        NoSpace, Unavailable: the disk is full, or cannot be used otherwise.
    """
    folder = path.with_name("members")
    folder.mkdir()
    draft = read_bundle(path, folder, max_bytes)
    _check_format(draft.manifest)
    check_cancelled()
    _check_model(draft.manifest, draft.files, max_model_bytes)
    check_cancelled()
    return store.models.take(name, draft.manifest, draft.files)


def _check_format(manifest: Mapping[str, Any]) -> None:
    made_as = manifest.get("format")
    if type(made_as) is not int or made_as < 1:
        raise InvalidBundle(MANIFEST, "its `format` must be a whole number")
    if made_as > MODEL_FORMAT:
        raise BundleMadeByNewer(MANIFEST, "it was made by a newer Modelwright, in a format that this one does not know")


def _check_types(model: Model, signature: Signature) -> None:
    """A tensor of another type would be multiplied all the same, and answer in that type. float64 are only the scales of
    inputs and outputs that the signature says are."""
    scales = {"preprocessing": raw_dtype(signature.inputs), "target": answers_dtype(signature.outputs)}
    for name, tensor in model.state_dict().items():
        wanted = scales.get(name.partition(".")[0], "float32")
        if tensor.is_floating_point() and str(tensor.dtype) != f"torch.{wanted}":
            raise TypeError(f"{name} is not {wanted}")


def _check_size(warm: Warm, max_bytes: int) -> None:
    """Before anything is computed: a small bundle may make much of one row."""
    needed = warm.bytes + warm.cost.bytes
    if needed > max_bytes:
        rule = f"its model and what it makes of one row take {needed} bytes of memory; this service allows {max_bytes}"
        raise InvalidBundle(MANIFEST, rule)


def _check_signature(signature: Signature) -> None:
    names = [each.name for each in signature.inputs]
    if not names or not signature.outputs or len(set(names)) < len(names):
        raise ValueError("inputs and outputs must be there, and inputs have different names")


def _check_model(manifest: object, files: dict[str, Path], max_bytes: int) -> None:
    if set(files) != FILES:
        raise InvalidBundle(None, f"a model's files are {', '.join(sorted(FILES))}")
    try:
        assert isinstance(manifest, dict)  # noqa: S101 - read_bundle gives nothing else
        spec = parse({**manifest["spec"], "model_name": "model"})
        signature = Signature.model_validate(manifest["signature"])
        _check_signature(signature)
        if not all(isinstance(manifest.get(name), dict) for name in ("metrics", "environment", "data")):
            raise TypeError("a part of the manifest is missing")
    except (InvalidSpec, KeyError, TypeError, ValueError) as error:
        raise InvalidBundle("manifest.json", "its spec or signature is none of this software's") from error
    try:
        warm = Warm(load(spec, signature, files[STATE_DICT]), signature)
        _check_types(warm.model, signature)
        _check_size(warm, max_bytes)
        with dry_run:
            predictions(warm, warm.blank_row())
    except (InvalidBundle, OSError):
        raise  # an error of the disk is not the bundle's fault
    except Exception as error:  # whatever a foreign model may meet, it met it here and not in a prediction
        raise InvalidBundle(f"files/{STATE_DICT}", "its tensors are not those of the model in the manifest") from error
    try:
        points = Points.model_validate_json(files[POINTS].read_bytes())
        columns: list[Sized] = [points.part, points.truth, points.prediction, *points.features.values()]
        columns += [] if points.probability is None else [points.probability]
        if len({len(each) for each in columns}) > 1 or not set(points.features) <= {
            each.name for each in signature.inputs
        }:
            raise ValueError("columns of unequal length, or of no input")
    except ValueError as error:
        raise InvalidBundle(f"files/{POINTS}", "it does not hold the points of a model's plots") from error
    try:
        history = HISTORIES.validate_json(files[HISTORY].read_bytes())
        if len({len(series) for series in history.values()}) > 1 or "epoch" not in history:
            raise ValueError("series of unequal length")
    except ValueError as error:
        raise InvalidBundle(f"files/{HISTORY}", "it does not hold the losses of a model's epochs") from error

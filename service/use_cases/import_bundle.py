"""Import a bundle: check every file, build the model, then publish it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from model_store import Draft, Store, Version, read_bundle
from model_store.contents import MANIFEST, SIGNATURE
from model_store.errors import BundleMadeByNewer, InvalidBundle
from model_store.os_errors import storage_errors
from model_store.store import MODEL_FORMAT
from service.bundle_members import MEMBERS
from service.serving.codecs.json import predictions
from service.serving.warm_models import Warm
from service.signatures.errors import InvalidSignature
from service.signatures.signatures import Signatures
from service.strict_json import decode
from service.use_cases.attempt_store import HISTORY, STATE_DICT, TENSORS
from service.use_cases.cancellation import check_cancelled
from service.use_cases.model_manifest import (
    ModelManifest,
    check_baseline,
    check_confusion,
    check_importance,
    check_signature,
)
from service.use_cases.model_points import check_plots, check_points
from service.use_cases.predict import dry_run
from service.use_cases.train import POINTS
from service.workflow.conformal import check_scores
from service.workflow.encode import answers_dtype, raw_dtype
from service.workflow.errors import InvalidSpec, step
from service.workflow.inspection import TensorSummary, summarize
from service.workflow.look.points import Points
from service.workflow.model import Model
from service.workflow.save_and_load import load
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec, parse_resolved
from service.workflow.spec_base import faults
from service.workflow.threshold import check_recorded

FILES = {STATE_DICT, POINTS, HISTORY}
MOST_JSON_BYTES = 16 * 2**20  # of a file beside the manifest
MOST_HEADER_BYTES = 4 * 2**20  # of the tensors' file: some 30,000 names
SHOULD = "Input should be "  # as pydantic begins its messages
HISTORIES = TypeAdapter(dict[str, list[float | None]])


@storage_errors()
def import_bundle(
    store: Store, signatures: Signatures, name: str, path: Path, max_bytes: int, max_model_bytes: int
) -> tuple[Version, bool]:
    """The version with the bundle's digest, and whether it is new.

    Raises:
        InvalidBundle: the file breaks a rule, or its parts do not make a model, or signatures are required and no trusted key has
            signed it; the member is named.
        BundleMadeByNewer: its manifest has a format that this software does not know.
        NoSpace, Unavailable: the disk is full, or cannot be used otherwise.
    """
    folder = path.with_name("members")
    folder.mkdir()
    draft = read_bundle(path, folder, max_bytes, MEMBERS)
    _check_format(draft.manifest)
    check_cancelled()
    _check_signature(signatures, draft)  # first: a model that is not trusted is not opened
    check_cancelled()
    summary = _check_model(draft.manifest, draft.files, max_model_bytes)
    check_cancelled()
    summaries = {TENSORS: summary.model_dump()}
    return store.models.take(name, draft.manifest, draft.files, summaries=summaries, signature=draft.signature)


def _check_format(manifest: Mapping[str, Any]) -> None:
    made_as = manifest.get("format")
    if type(made_as) is not int or made_as < 1:
        raise InvalidBundle(MANIFEST, "its `format` must be a whole number")
    if made_as > MODEL_FORMAT:
        raise BundleMadeByNewer(MANIFEST, "it was made by a newer Modelwright, in a format that this one does not know")


def _check_signature(signatures: Signatures, draft: Draft) -> None:
    try:
        signatures.check(draft.digest, draft.manifest, draft.signature)
    except InvalidSignature as error:
        raise InvalidBundle(SIGNATURE, f"this service imports what a trusted key has signed: {error.reason}") from error


def _check_types(model: Model, signature: Signature) -> None:
    """A tensor of another type would work, and predict in that type. Only scales of inputs and outputs are float64, where the
    signature says so."""
    scales = {"preprocessing": raw_dtype(signature.inputs), "target": answers_dtype(signature.outputs)}
    for name, tensor in model.state_dict().items():
        wanted = scales.get(name.partition(".")[0], "float32")
        if tensor.is_floating_point() and str(tensor.dtype) != f"torch.{wanted}":
            raise TypeError(f"{name} is not {wanted}")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} holds what is no finite number")


def _check_calibration(model: Model, manifest: ModelManifest) -> None:
    """A temperature of 0 or less would change the order of the classes, and the manifest must say what the model does."""
    said = None if manifest.calibration is None else manifest.calibration.temperature
    used = None if model.calibration is None else model.calibration.temperature.item()
    if said != used:
        raise ValueError(f"the temperature is {used}, and the manifest says {said}")


def _check_size(warm: Warm, max_bytes: int) -> None:
    """Before anything is computed: a small bundle may need much memory for one row."""
    needed = warm.bytes + warm.cost.bytes
    if needed > max_bytes:
        rule = f"its model and what it makes of one row take {needed} bytes of memory; this service allows {max_bytes}"
        raise InvalidBundle(MANIFEST, rule)


def _check_model(manifest: dict[str, Any], files: dict[str, Path], max_bytes: int) -> TensorSummary:
    if set(files) != FILES:
        raise InvalidBundle(None, f"a model's files are {', '.join(sorted(FILES))}")
    try:
        read = ModelManifest.model_validate(manifest)
        spec = parse_resolved({**read.spec, "model_name": "model"}, try_torch=True)
        signature = read.signature
        check_signature(signature)
        check_confusion(read)
        check_importance(read)
        check_scores(read.conformal, signature)
        check_recorded(read.threshold, signature)
        check_baseline(read)
    except (InvalidSpec, ValueError) as error:
        raise InvalidBundle(MANIFEST, f"it is no model's: {_first(error, manifest)}") from error
    summary = _check_tensors(read, spec, files[STATE_DICT], max_bytes)
    _check_look(read, files)
    return summary


def _check_look(manifest: ModelManifest, files: dict[str, Path]) -> None:
    """Checks what the plots are drawn from."""
    with _document(POINTS, files, "it does not hold the points of a model's plots") as document:
        points = Points.model_validate(document, strict=True)
        check_points(points, manifest.signature)
    try:
        check_plots(manifest, points)
    except ValueError as error:
        raise InvalidBundle(MANIFEST, f"it is no model's: {error}") from error
    with _document(HISTORY, files, "it does not hold the losses of a model's epochs") as document:
        _check_history(HISTORIES.validate_python(document, strict=True))


def _check_history(history: dict[str, list[float | None]]) -> None:
    if None in history.get("epoch", [None]):
        raise ValueError("/epoch: expected the numbers of the epochs")
    for name, series in history.items():
        if len(series) != len(history["epoch"]):
            raise ValueError(f"{step(name)}: expected {len(history['epoch'])} values, as /epoch has")


def _first(error: InvalidSpec | ValueError, document: Any) -> str:
    """The first error in a document, with its place."""
    if isinstance(error, InvalidSpec):
        return f"/spec{error.faults[0].pointer}: {error.faults[0].message}"
    if isinstance(error, ValidationError):
        found = faults(error, document)
        # A value that may have several types has an error for each.
        each = dict.fromkeys(fault.message for fault in found if fault.pointer == found[0].pointer)
        return f"{found[0].pointer}: {' or '.join(each).replace(f' or {SHOULD}', ' or ')}"
    return str(error)


@contextmanager
def _document(file: str, files: dict[str, Path], rule: str) -> Iterator[Any]:
    """The JSON in a file of a bundle. A ValueError inside the `with` block is turned into InvalidBundle."""
    path, document = files[file], None
    try:
        if path.stat().st_size > MOST_JSON_BYTES:
            raise ValueError(f"it has more than {MOST_JSON_BYTES} bytes")
        document = decode(path.read_bytes())
        yield document
    except ValueError as error:
        raise InvalidBundle(f"files/{file}", f"{rule}: {_first(error, document)}") from error


def _check_tensors(manifest: ModelManifest, spec: ResolvedSpec, path: Path, max_bytes: int) -> TensorSummary:
    signature = manifest.signature
    with path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > MOST_HEADER_BYTES:
            raise InvalidBundle(f"files/{STATE_DICT}", f"its header may have at most {MOST_HEADER_BYTES} bytes")
    try:
        warm = Warm(load(spec, signature, path), signature)
        _check_types(warm.model, signature)
        _check_calibration(warm.model, manifest)
        _check_size(warm, max_bytes)
        with dry_run:
            predictions(warm, warm.blank_row())
        return summarize(spec, signature, path, warm.model.tensors())
    except (InvalidBundle, OSError):
        raise  # the bundle is not to blame for an error of the disk
    except Exception as error:  # of any kind: it is met here and not in a prediction
        raise InvalidBundle(f"files/{STATE_DICT}", "its tensors are not those of the model in the manifest") from error

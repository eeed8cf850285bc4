"""The manifest of a model as a type, by which a bundle is checked before it is published."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from service.workflow.conformal import Conformal
from service.workflow.data.schema import MOST_COLUMNS
from service.workflow.data.types.names import LONGEST_NAME
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import step
from service.workflow.look.examples import Count
from service.workflow.look.importance import Importance
from service.workflow.parts import PARTS
from service.workflow.signature import Signature
from service.workflow.slice_report import Slices
from service.workflow.tasks import Task
from service.workflow.threshold import Threshold

MOST_DIMENSIONS, MOST_SIZE = 4, 2**20  # of the shape of a value

Word = Annotated[str, Field(max_length=256)]
Part = Annotated[str, Field(max_length=20)]
ColumnName = Annotated[str, Field(max_length=LONGEST_NAME)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]  # the smallest and the largest number


class Trained(BaseModel):
    """How long the model was trained."""

    epochs: Count
    seconds: Annotated[float, Field(ge=0)]


class PartOfRows(BaseModel):
    """The rows of a part of the split."""

    rows: Count
    digest: Word


class Start(BaseModel):
    """The version that the training started from; the spec has its name and number."""

    digest: Word


class Calibrated(BaseModel):
    """The temperature that divides the logits, the rows of the validation part that it was fitted on, and their log loss and
    expected calibration error before and after."""

    temperature: Annotated[float, Field(gt=0)]
    rows: Annotated[Count, Field(ge=1)]
    log_loss_before: Annotated[float, Field(ge=0)]
    log_loss_after: Annotated[float, Field(ge=0)]
    ece_before: Annotated[float, Field(ge=0, le=1)]
    ece_after: Annotated[float, Field(ge=0, le=1)]


class ModelManifest(BaseModel):
    """The fields of a manifest that are read, with the bounds of what a training writes."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    format: Annotated[int, Field(ge=1)]
    spec: dict[str, Any]
    signature: Annotated[Signature, Field(strict=False)]
    metrics: Annotated[dict[Part, Annotated[dict[Word, float | None], Field(max_length=100)]], Field(max_length=10)]
    confusion: Annotated[dict[Part, list[list[Count]]], Field(max_length=10)] = {}
    slices: Slices | None = None
    warnings: Annotated[list[Annotated[str, Field(max_length=5000)]], Field(max_length=100)] = []
    plots: Annotated[list[Word], Field(max_length=100)] | None = None
    split: Annotated[dict[Part, PartOfRows], Field(max_length=10)] = {}
    parameters: Count = 0
    environment: Annotated[dict[Word, Word | int | float | None], Field(max_length=100)]
    data: Annotated[dict[Word, Word | int | float | None], Field(max_length=100)]
    training: Trained | None = None
    ranges: Annotated[dict[ColumnName, Range], Field(max_length=MOST_COLUMNS)] = {}
    baseline: Annotated[dict[ColumnName, float | str], Field(max_length=MOST_COLUMNS)] = {}
    calibration: Calibrated | None = None
    conformal: Conformal | None = None
    threshold: Threshold | None = None
    importance: Importance | None = None
    initial: Start | None = None
    job: Word | None = None


def check_signature(signature: Signature) -> None:
    """Checks that there are inputs and outputs, each with its own valid name, and that the outputs are those of the task.

    Raises:
        ValueError: they are not; the message begins with the JSON pointer.
    """
    for kind, each in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        names, at = [column.name for column in each], f"/signature/{kind}"
        if not 0 < len(names) <= MOST_COLUMNS or len(set(names)) < len(names):
            raise ValueError(f"{at}: expected 1 to {MOST_COLUMNS} of them, with different names")
        if not all(0 < len(name) <= LONGEST_NAME for name in names):
            raise ValueError(f"{at}: a name has 1 to {LONGEST_NAME} characters")
    for position, given in enumerate(signature.inputs):
        if COLUMN_TYPES[given.type].shaped != _is_shape(given.shape):
            rule = f"expected {'1 to 4 sizes' if COLUMN_TYPES[given.type].shaped else 'none'}, for its type is {given.type}"
            raise ValueError(f"/signature/inputs/{position}/shape: {rule}")
        if (fault := COLUMN_TYPES[given.type].manifest_fault(given)) is not None:
            raise ValueError(f"/signature/inputs/{position}{fault}")
    wanted = {Task.REGRESSION: "number", Task.MULTILABEL: "label"}.get(signature.task, "class")
    if signature.classifies and len(signature.outputs) != 1:
        raise ValueError(f"/signature/outputs: a {signature.task} model has one output")
    for position, output in enumerate(signature.outputs):
        if output.type != wanted or bool(output.classes) != (wanted != "number"):
            rule = f"expected a {wanted}{' with its classes' if wanted != 'number' else ''}"
            raise ValueError(f"/signature/outputs/{position}: {rule}, for the task is {signature.task}")


def _is_shape(shape: list[int] | None) -> bool:
    return shape is not None and 1 <= len(shape) <= MOST_DIMENSIONS and all(1 <= size <= MOST_SIZE for size in shape)


def check_baseline(manifest: ModelManifest) -> None:
    """Checks that the baseline of explanations is a row of the model's inputs.

    Raises:
        ValueError: it is not; the message begins with the JSON pointer.
    """
    inputs = {each.name: each for each in manifest.signature.inputs if not COLUMN_TYPES[each.type].shaped}
    for name, value in manifest.baseline.items():
        if (of := inputs.get(name)) is None:
            raise ValueError(f"/baseline{step(name)}: expected an input of the model that is a column of a table")
        kind = COLUMN_TYPES[of.type]
        if value not in (of.categories or ()) if kind.texts else isinstance(value, str) or not kind.keeps(value):
            rule = "one of the input's categories" if kind.texts else f"a value of the type {of.type}"
            raise ValueError(f"/baseline{step(name)}: expected {rule}")


def check_confusion(manifest: ModelManifest) -> None:
    """Checks that there is a count for each pair of classes.

    Raises:
        ValueError: there is not; the message begins with the JSON pointer.
    """
    size = len(manifest.signature.classes)
    for part, counts in manifest.confusion.items():
        if part not in PARTS or len(counts) != size or any(len(row) != size for row in counts):
            rule = f"expected {size} lists of {size} counts for each of {', '.join(PARTS)}"
            raise ValueError(f"/confusion{step(part)}: {rule}")


def check_importance(manifest: ModelManifest) -> None:
    """Checks that the importance is that of the model's inputs, each once, the most important one first.

    Raises:
        ValueError: it is not; the message begins with the JSON pointer.
    """
    if (found := manifest.importance) is None:
        return
    names, means = [each.input for each in found.inputs], [each.mean for each in found.inputs]
    known = {each.name for each in manifest.signature.inputs}
    if len(set(names)) < len(names) or not set(names) <= known:
        raise ValueError("/importance/inputs: expected inputs of the model, each once")
    if means != sorted(means, reverse=True):
        raise ValueError("/importance/inputs: expected the most important input first, by `mean`")
    if found.left_out != len(known) - len(names):
        raise ValueError(
            f"/importance/left_out: expected {len(known) - len(names)}, the inputs that are not in the list"
        )
    classes = manifest.signature.task is not Task.REGRESSION
    if (found.measure == "log_loss") != classes:
        expected = "log_loss" if classes else "relative_squared_error"
        raise ValueError(f"/importance/measure: expected {expected}, for the task is {manifest.signature.task}")

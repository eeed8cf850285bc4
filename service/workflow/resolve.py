"""Resolves a spec: fills in its defaults from the schema of its data, and derives the signature of its model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from torch import nn

from service.workflow import losses, optimizers, schedulers, training
from service.workflow.calibration import FEWEST as FEWEST_CALIBRATED
from service.workflow.conformal import check_conformal
from service.workflow.data.precision import needs_float64
from service.workflow.data.schema import Column, Schema, how_of
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.errors import Fault, InvalidSpec, invalid, step
from service.workflow.evaluation_spec import check_evaluation
from service.workflow.models import KINDS, ModelKind
from service.workflow.models.defaults import default_kind
from service.workflow.models.input_shapes import FEATURES, InputShapes
from service.workflow.preprocessing import PreprocessingSpec, input_shapes, layout
from service.workflow.signature import Input, Output, Signature
from service.workflow.spec import ResolvedSpec, TrainingSpec
from service.workflow.spec_base import FaultBudget, nearest, shown
from service.workflow.split import SplitSpec, sizes
from service.workflow.split import resolve as resolve_split
from service.workflow.tasks import CLASSIFICATION, MOST_CLASSES_OF_AN_INTEGER, Task
from service.workflow.threshold_spec import check_threshold
from service.workflow.torch_registry import name_of
from service.workflow.training import ResolvedSettings


@dataclass(frozen=True)
class Resolved:
    """A resolved spec, the signature of its model, the number of rows of each part, and the network's input shapes. These have
    the largest possible number of encoded columns, as the categories of the training part are not known yet."""

    spec: ResolvedSpec
    signature: Signature
    rows: dict[str, int]
    inputs: InputShapes


def resolve(spec: TrainingSpec, schema: Schema) -> Resolved:
    """Resolves a spec for data with this schema.

    Raises:
        InvalidSpec: it does not fit the columns, or its parts do not fit each other.
    """
    targets = [_target_column(schema, name, at) for name, at in _targets(spec)]
    inputs, features = _inputs(spec, schema)
    task, named = _task(spec, targets), {each.name for each in inputs}
    ignored = [each.name for each in schema.columns if not each.is_feature(schema.rows) and each.name not in named]
    signature = Signature(
        task=task,
        inputs=inputs,
        outputs=[_output(column, task) for column in targets],
        ignored=ignored or None,
        encoding=None if schema.reading.encoding == "utf-8" else schema.reading.encoding,
    )
    shapes = _shapes(inputs, schema, normalized=True)
    model = spec.model or KINDS[spec.data.default_model or default_kind(shapes)].model_validate({})
    preprocessing = spec.preprocessing or PreprocessingSpec(normalize=model.normalizes and spec.data.normalizes)
    if not preprocessing.normalize:
        shapes = _shapes(inputs, schema, normalized=False)
    loss = spec.loss or losses.default(task)
    _check_fit(model, loss, signature, targets)
    # Rows without a target are left out. This is an upper bound if several targets have missing values.
    usable = schema.model_copy(update={"rows": schema.rows - max(column.missing for column in targets)})
    split = resolve_split(spec.split, spec.training.seed, usable)
    rows = sizes(split, usable)
    model = model.for_task(task).sized(rows["train"], shapes)
    defaults = model.training_defaults(rows["train"], shapes)
    default_optimizer, cycle = defaults.pop("optimizer", optimizers.DEFAULT), defaults.pop("scheduler", None)
    optimizer = spec.optimizer or optimizers.REGISTRY.parse(default_optimizer)
    arguments = defaults.pop("loss", {})
    loss = spec.loss or losses.default(task, arguments)
    monitor = model.monitor if model.stops_early and rows["validation"] > 0 else None
    settings = training.resolve(spec.training, defaults, rows["train"], monitor)
    scheduler = spec.scheduler
    if cycle is not None and spec.optimizer is None and "scheduler" not in spec.model_fields_set:
        scheduler = schedulers.default(cycle, training.steps(settings, rows["train"]))
    _check_time(split, inputs)
    _check_calibration(spec, signature, rows["validation"])
    check_conformal(split, signature, rows)
    check_threshold(spec.threshold, signature, rows["validation"])
    check_evaluation(spec.evaluation, schema, frozenset(each.name for each in inputs))
    _check_training(spec, settings, optimizer, rows["train"])
    filled: dict[str, Any] = {
        "data": spec.data.model_copy(update={"features": features, "task": task}),
        "split": split,
        "preprocessing": preprocessing,
        "model": model,
        "loss": loss,
        "optimizer": optimizer,
        "scheduler": scheduler,
        "training": settings,
    }
    given = dict(spec) | filled
    if "calibration" not in spec.model_fields_set:
        del given["calibration"]
        if signature.classifies and rows["validation"] >= FEWEST_CALIBRATED:
            given["calibration"] = "temperature"
    resolved = ResolvedSpec.model_validate(given, context=FaultBudget(tries=False))
    return Resolved(resolved, signature, rows, shapes)


def _targets(spec: TrainingSpec) -> list[tuple[str, str]]:
    """Each target with its JSON pointer."""
    names = spec.data.targets
    if not names:
        raise invalid("/data/target", "no target is named; at least one column to learn is needed")
    if isinstance(spec.data.target, str):
        return [(spec.data.target, "/data/target")]
    _check_unique(names, "/data/target")
    return [(name, f"/data/target/{i}") for i, name in enumerate(names)]


def _check_unique(names: list[str], pointer: str) -> None:
    first = {name: position for position, name in reversed([*enumerate(names)])}
    for position, name in enumerate(names):
        if first[name] != position:
            raise invalid(f"{pointer}/{position}", f"{shown(name)} is named twice")


def _target_column(schema: Schema, name: str, at: str) -> Column:
    column = schema.column(name)
    if column is None:
        raise invalid(at, f"there is no column {shown(name)}; {nearest(name, schema.names)}")
    if column.type == "unsupported":
        raise invalid(at, f"{shown(name)} {column.reason}; a model predicts numbers or classes")
    if (reason := COLUMN_TYPES[column.type].no_target) is not None:
        message = f"{shown(name)} {reason}, and a model predicts numbers or classes"
        raise invalid(at, f"{message}; read the data set anew with another type for it, or name another column")
    if column.missing * 2 > schema.rows:
        message = f"{column.missing} of {schema.rows} values of {shown(name)} are missing"
        raise invalid(at, f"{message}; a target needs one in half of the rows at least")
    values, _ = column.target_values()
    if values is not None and len(values) == 1 and schema.rows > 1:
        message = f"every value of {shown(name)} is {shown(values[0])}; there is nothing to learn from one value"
        raise invalid(at, message)
    return column


def _inputs(spec: TrainingSpec, schema: Schema) -> tuple[list[Input], dict[str, Feature]]:
    """The inputs, and the features as the resolved spec has them."""
    named = spec.data.features
    names = list(named) if named is not None else _default_features(spec, schema)
    if not names:
        raise invalid("/data/features", "there is no column to learn from beside the target")
    _check_unique(names, "/data/features")
    targets = frozenset(spec.data.targets)
    made = [_input(spec, schema, name, i, targets) for i, name in enumerate(names)]
    inputs = [each for each, _ in made]
    own = [each.name for each in inputs if COLUMN_TYPES[each.type].shaped]
    if FEATURES in own and len(own) < len(inputs):
        message = (
            f"{shown(FEATURES)} is what the columns of a table are called together, and cannot be an input beside them"
        )
        raise invalid("/data/features", f"{message}; give the column another name")
    return inputs, {each.name: feature for each, feature in made}


def _default_features(spec: TrainingSpec, schema: Schema) -> list[str]:
    """The columns that can be features, except the targets and the column of the split."""
    column = spec.split.column if spec.split is not None else None
    taken = {*spec.data.targets, *([] if column is None else [column])}
    return [each.name for each in schema.columns if each.name not in taken and each.is_feature(schema.rows)]


def _input(
    spec: TrainingSpec, schema: Schema, name: str, position: int, targets: frozenset[str]
) -> tuple[Input, Feature]:
    given, pointer = spec.data.features, "/data/features"
    if given is not None:
        pointer += step(position if isinstance(given, list) else name)
    column = schema.column(name)
    if column is None:
        raise invalid(pointer, f"there is no column {shown(name)}; {nearest(name, schema.names)}")
    if name in targets:
        raise invalid(pointer, f"{shown(name)} is the target; a model cannot learn from what it must predict")
    if column.type == "unsupported":
        raise invalid(pointer, f"{shown(name)} {column.reason}; numbers, texts, booleans and times are learned from")
    if column.missing == schema.rows:
        message = f"every value of {shown(name)} is missing: name the columns to learn from in `features`, without it"
        raise invalid(pointer, message)
    types: Any = given if isinstance(given, dict) else {}
    feature = types[name] if name in types else Feature(type=column.type)
    kind = COLUMN_TYPES[feature.type]
    refusal = None if feature.type == column.type else kind.refusal(column)
    if refusal is not None:
        raise invalid(f"{pointer}/type", f"{shown(name)} {refusal}")
    fields = kind.input_fields(column, how_of(schema, name))
    if isinstance(kind, ShapedType):
        with faults_below(pointer):
            feature = kind.feature.model_validate(dict(feature))
            if spec.model is not None:
                feature = kind.suited(feature, spec.model.text_encoding(name))
            feature = kind.resolved(feature, column)
        fields |= kind.shaped_fields(feature)
    return Input(name=name, type=feature.type, missing=list(schema.reading.missing) or None, **fields), feature


@contextmanager
def faults_below(pointer: str) -> Iterator[None]:
    """Completes the pointers of errors, which begin at a feature, such as `/size`."""
    try:
        yield
    except InvalidSpec as error:
        raise InvalidSpec(*(Fault(pointer + each.pointer, each.message) for each in error.faults)) from None


def _shapes(inputs: list[Input], schema: Schema, normalized: bool) -> InputShapes:
    """The network's inputs with the largest possible number of encoded columns."""
    drafted, indicators = [], 0
    for each in inputs:
        column = schema.column(each.name)
        assert column is not None  # noqa: S101 - the inputs are from the schema
        drafted.append(each.model_copy(update=COLUMN_TYPES[each.type].largest_fields(column)))
        indicators += column.missing > 0 and not COLUMN_TYPES[each.type].shaped
    return input_shapes(drafted, layout(drafted).width + indicators, normalized)


def _task(spec: TrainingSpec, targets: list[Column]) -> Task:
    task = Task(spec.data.task) if spec.data.task is not None else _inferred(targets)
    if task is Task.REGRESSION:
        for column in targets:
            if not COLUMN_TYPES[column.type].numeric:
                what = f"{shown(column.name)} is a {column.type}"
                raise invalid("/data/target", f"{what}, and a regression needs numbers; try task multiclass")
    elif task is Task.MULTILABEL:
        for column in targets:
            if len(column.values or []) != 2 or set(column.values or []) != {0, 1}:
                message = f"{shown(column.name)} does not say true or false (or 1 or 0) in every row, as a label must"
                raise invalid("/data/target", message)
    else:
        _check_classes(task, targets)
    return task


def _check_classes(task: Task, targets: list[Column]) -> None:
    if len(targets) > 1:
        message = f"several targets can be numbers (task regression) or true and false (multilabel), not {task}"
        raise invalid("/data/target", message)
    classes, _ = targets[0].target_values()
    if classes is None:
        message = f"{shown(targets[0].name)} has too many different values to be classes"
        raise invalid("/data/target", f"{message}{about_numbers(targets[0])}")
    if len(classes) < 2 or (task is Task.BINARY and len(classes) != 2):
        message = f"{shown(targets[0].name)} has {len(classes)} classes; {task} needs {'2' if task is Task.BINARY else 'more'}"
        raise invalid("/data/task", message)


def about_numbers(column: Column) -> str:
    """For a column of texts that are mostly numbers: which are not, and what can be done; else an empty text."""
    misfit = column.misfits.get("number")
    cells = misfit.of if misfit is not None else 0
    if not COLUMN_TYPES[column.type].texts or misfit is None or misfit.cells * 2 >= cells:
        return ""
    what = f"all but {misfit.cells} of its {cells} cells are numbers (row {misfit.row + 1} holds {shown(misfit.cell)})"
    return f"; {what}: correct them, or name the words in `missing` and read the data set anew"


def _inferred(targets: list[Column]) -> Task:
    if len(targets) > 1:
        return Task.MULTILABEL if all(COLUMN_TYPES[column.type].label for column in targets) else Task.REGRESSION
    target = targets[0]
    values, _ = target.target_values()
    few = values is not None and len(values) <= MOST_CLASSES_OF_AN_INTEGER
    if COLUMN_TYPES[target.type].numeric and not (target.integer and few):
        return Task.REGRESSION
    return Task.BINARY if values is not None and len(values) == 2 else Task.MULTICLASS


def _output(column: Column, task: Task) -> Output:
    if task is Task.REGRESSION:
        return Output(name=column.name, type="number", dtype="float64" if needs_float64(column) else None)
    if task is Task.MULTILABEL:
        return Output(name=column.name, type="label", classes=column.values)
    return Output(name=column.name, type="class", classes=column.target_values()[0])


def _check_fit(model: ModelKind, loss: BaseModel, signature: Signature, targets: list[Column]) -> None:
    task, name = signature.task, name_of(loss)
    if task not in model.tasks:
        message = f"{model.kind} is for {', '.join(sorted(model.tasks))}, and the task is {task}; use mlp, say"
        raise invalid("/model/kind", message)
    if task not in losses.ROLES[name].tasks:
        message = f"{name} does not fit a {task} task; these do: {', '.join(losses.fitting(task))}"
        if task in CLASSIFICATION and Task.REGRESSION in losses.ROLES[name].tasks:
            message += ' (or set data.task to "regression" if the target is a quantity)'
        raise invalid("/loss/name", message)
    if losses.head(losses.output_of(loss)) is not None and not model.heads:
        message = f"{name} needs a model that ends in {type(losses.head(losses.output_of(loss))).__name__}, as mlp can"
        raise invalid("/loss/name", message)
    if losses.counts(loss):
        for column in targets:
            if column.statistics.get("min", 0) < 0:
                raise invalid("/loss/name", f"{name} counts, and {shown(column.name)} has values below 0")
    losses.check_weights(loss, signature)


def _check_time(split: SplitSpec, inputs: list[Input]) -> None:
    for each in inputs:
        if each.name == split.time and COLUMN_TYPES[each.type].texts:
            message = f"{shown(each.name)} is a feature of type {each.type}; give it the type datetime in `features`"
            raise invalid("/split/time", message)


def _check_calibration(spec: TrainingSpec, signature: Signature, rows: int) -> None:
    if spec.calibration is None:
        return
    if not signature.classifies:
        message = f"a {signature.task} model has no probabilities of classes to calibrate; leave it out"
        raise invalid("/calibration", message)
    if rows < FEWEST_CALIBRATED:
        message = f"it needs a validation part of at least {FEWEST_CALIBRATED} rows, and this one has {rows}"
        raise invalid("/calibration", f"{message}; enlarge split.validation, or use null")


def _check_training(spec: TrainingSpec, settings: ResolvedSettings, optimizer: BaseModel, rows: int) -> None:
    size = spec.training.batch_size
    if isinstance(size, int) and size > rows:
        message = f'{size} is more than the {rows} training rows; use "full" for all of them at once'
        raise invalid("/training/batch_size", message)
    if name_of(optimizer) == "LBFGS" and settings.accumulation_steps > 1:
        message = "LBFGS evaluates a batch several times in a step, and cannot accumulate; use 1"
        raise invalid("/training/accumulation_steps", message)
    if spec.scheduler is not None:
        on_tiny_network = optimizers.build(optimizer, nn.Linear(1, 1))
        if (reason := schedulers.misfit(spec.scheduler, on_tiny_network)) is not None:
            raise invalid("/scheduler", f"it cannot steer {name_of(optimizer)}: {reason}")

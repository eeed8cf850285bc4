"""A spec with every default filled in, and the signature of the model it describes, from what is known of the data."""

from service.workflow.data.columns import Feature
from service.workflow.data.dataset import DatasetData
from service.workflow.data.schema import Column, Schema
from service.workflow.errors import Fault, InvalidSpec
from service.workflow.losses import default as default_loss
from service.workflow.losses import fitting, role
from service.workflow.models import LinearRegressionSpec, MLPSpec
from service.workflow.optimizers import default as default_optimizer
from service.workflow.preprocessing import PreprocessingSpec
from service.workflow.signature import Input, Output, Signature
from service.workflow.spec import TrainingSpec
from service.workflow.specification import nearest, shown
from service.workflow.split import resolve as resolve_split
from service.workflow.split import sizes
from service.workflow.tasks import CLASSIFICATION, MOST_CLASSES_OF_AN_INTEGER, Task


def schema_of(spec: TrainingSpec, stored: Schema | None) -> Schema:
    """The schema of the spec's data; `stored` is that of its data set."""
    if isinstance(spec.data, DatasetData):
        if stored is None:
            raise ValueError("the schema of a stored data set is needed")
        return stored
    return spec.data.schema_of_table()


def resolve(spec: TrainingSpec, schema: Schema) -> tuple[TrainingSpec, Signature]:
    """The spec with defaults, and the model's signature.

    Raises:
        InvalidSpec: what cannot be learned from these columns, and what could.
    """
    targets = [_target_column(schema, name, at) for name, at in _targets(spec)]
    inputs = _inputs(spec, schema)
    task = _task(spec, targets)
    signature = Signature(task=task, inputs=inputs, outputs=[_output(column, task, spec) for column in targets])
    on_a_line = spec.data.kind == "line"
    model = spec.model or (LinearRegressionSpec() if on_a_line else MLPSpec())
    loss = spec.loss or default_loss(task)
    _check_fit(model, loss, task)
    raw = on_a_line or isinstance(model, LinearRegressionSpec)
    features = {each.name: Feature(type=each.type) for each in inputs}
    resolved = spec.model_copy(
        update={
            "data": spec.data.model_copy(update={"features": features, "task": task}),
            "split": resolve_split(spec.split, spec.training.seed),
            "preprocessing": spec.preprocessing or PreprocessingSpec(normalize=not raw),
            "model": model,
            "loss": loss,
            "optimizer": spec.optimizer or default_optimizer(),
        }
    )
    sizes(resolved.split, schema.rows)  # type: ignore[arg-type] # just set
    return resolved, signature


def _targets(spec: TrainingSpec) -> list[tuple[str, str]]:
    """Each target with the pointer to it."""
    names = spec.data.targets
    if not names:
        raise InvalidSpec(Fault("/data/target", "no target is named; at least one column to learn is needed"))
    if isinstance(spec.data.target, str):
        return [(spec.data.target, "/data/target")]
    return [(name, f"/data/target/{i}") for i, name in enumerate(names)]


def _target_column(schema: Schema, name: str, at: str) -> Column:
    column = schema.column(name)
    if column is None:
        raise InvalidSpec(Fault(at, f"there is no column {shown(name)}; {nearest(name, schema.names)}"))
    if column.missing:
        message = (
            f"{column.missing} of {schema.rows} values of {name!r} are missing; a target needs a value in every row"
        )
        raise InvalidSpec(Fault(at, message))
    if column.values is not None and len(column.values) == 1 and schema.rows > 1:
        message = f"every value of {name!r} is {shown(column.values[0])}; there is nothing to learn from one value"
        raise InvalidSpec(Fault(at, message))
    return column


def _inputs(spec: TrainingSpec, schema: Schema) -> list[Input]:
    named = spec.data.features
    names = list(named) if named is not None else [name for name in schema.names if name not in spec.data.targets]
    if not names:
        raise InvalidSpec(Fault("/data/features", "there is no column to learn from beside the target"))
    return [_input(spec, schema, name, i) for i, name in enumerate(names)]


def _input(spec: TrainingSpec, schema: Schema, name: str, position: int) -> Input:
    given = spec.data.features
    pointer = "/data/features" if given is None else f"/data/features/{position if isinstance(given, list) else name}"
    column = schema.column(name)
    if column is None:
        raise InvalidSpec(Fault(pointer, f"there is no column {shown(name)}; {nearest(name, schema.names)}"))
    if name in spec.data.targets:
        raise InvalidSpec(Fault(pointer, f"{name!r} is the target; a model cannot learn from what it must predict"))
    if column.type != "number":
        message = f"{name!r} is a {column.type}; only columns of numbers can be features yet: name those in `features`"
        raise InvalidSpec(Fault(pointer, message))
    if column.missing == schema.rows:
        raise InvalidSpec(Fault(pointer, f"every value of {name!r} is missing; leave it out of `features`"))
    return Input(name=name, type="number")


def _task(spec: TrainingSpec, targets: list[Column]) -> Task:
    if spec.data.kind == "line":
        return Task.REGRESSION
    task = spec.data.task or _inferred(targets[0])
    if task in CLASSIFICATION:
        if len(targets) > 1:
            raise InvalidSpec(Fault("/data/target", "several targets can only be numbers (task regression) yet"))
        classes = targets[0].values
        if classes is None:
            raise InvalidSpec(Fault("/data/target", f"{targets[0].name!r} has too many distinct values to be classes"))
        if task is Task.BINARY and len(classes) != 2:
            raise InvalidSpec(Fault("/data/task", f"{targets[0].name!r} has {len(classes)} classes; binary needs 2"))
    else:
        for column in targets:
            if column.type != "number":
                message = f"{column.name!r} is a {column.type}, and a regression needs numbers; try task multiclass"
                raise InvalidSpec(Fault("/data/target", message))
    return task


def _inferred(target: Column) -> Task:
    classes = target.values
    few = classes is not None and len(classes) <= MOST_CLASSES_OF_AN_INTEGER
    if target.type == "number" and not (target.integer and few):
        return Task.REGRESSION
    return Task.BINARY if classes is not None and len(classes) == 2 else Task.MULTICLASS


def _output(column: Column, task: Task, spec: TrainingSpec) -> Output:
    if task is Task.REGRESSION:
        return Output(name=column.name, type="number")
    return Output(name=column.name, type="class", classes=column.values)


def _check_fit(model: object, loss: object, task: Task) -> None:
    if isinstance(model, LinearRegressionSpec) and task is not Task.REGRESSION:
        message = f"linear_regression predicts numbers, and the task is {task}; use mlp"
        raise InvalidSpec(Fault("/model/kind", message))
    if task not in role(loss).tasks:  # type: ignore[arg-type]
        message = f"{type(loss).__name__} does not fit a {task} task; these do: {', '.join(fitting(task))}"
        if task in CLASSIFICATION and Task.REGRESSION in role(loss).tasks:  # type: ignore[arg-type]
            message += ' (or set data.task to "regression" if the target is a quantity)'
        raise InvalidSpec(Fault("/loss/name", message))

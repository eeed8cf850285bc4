"""The training spec."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, field_validator

from service.workflow.data.dataset import DatasetData
from service.workflow.data.line import LineData
from service.workflow.data.rows import RowsData
from service.workflow.errors import InvalidSpec
from service.workflow.evaluation_spec import EvaluationSpec
from service.workflow.losses import Loss
from service.workflow.models import ModelSpec
from service.workflow.optimizers import Optimizer
from service.workflow.preprocessing import PreprocessingSpec
from service.workflow.schedulers import Scheduler
from service.workflow.spec_base import FaultBudget, SpecBase, faults
from service.workflow.split import ResolvedSplit, SplitSpec
from service.workflow.threshold_spec import ThresholdSpec
from service.workflow.training import ResolvedSettings, TrainingSettings
from service.workflow.webhook import WebhookSpec

Data = Annotated[LineData | RowsData | DatasetData, Field(discriminator="kind")]


def _is_on_one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(
            "expected an SPDX identifier such as MIT or Apache-2.0, or a short text without control characters"
        )
    return text


License = Annotated[str, Field(max_length=200), AfterValidator(_is_on_one_line)]
MOST_SCHEDULERS = 64
S = TypeVar("S", bound="TrainingSpec")

EXAMPLE: dict[str, Any] = {
    "model_name": "line",
    "data": {"kind": "line", "weight": 0.4, "bias": 0.6, "start": 0, "end": 1, "step": 0.02},
    "split": {"train": 0.8, "validation": 0, "test": 0.2, "shuffle": False},
    "model": {"kind": "linear_regression"},
    "loss": {"name": "L1Loss"},
    "optimizer": {"name": "SGD", "lr": 0.01},
    "training": {"epochs": 1000, "batch_size": "full", "seed": 42},
}


class TrainingSpec(SpecBase):
    """A training config. Defaults are filled in for what it leaves out, and the job shows them."""

    model_name: str
    data: Data
    split: SplitSpec | None = None
    preprocessing: PreprocessingSpec | None = None
    model: ModelSpec | None = None
    loss: Loss | None = None
    optimizer: Optimizer | None = None
    scheduler: Scheduler | None = None
    training: TrainingSettings = TrainingSettings()
    calibration: Literal["temperature"] | None = Field(
        default=None,
        description="of the probabilities of classes, on the validation part; absent: temperature where that has 50 rows",
    )
    threshold: ThresholdSpec | None = None
    evaluation: EvaluationSpec | None = None
    initial: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9._-]*@[0-9]{1,18}$",
        description='the version to start from: its weights and fitted preprocessing, as "houses@3"',
    )
    priority: int = Field(default=0, ge=-1000, le=1000, description="a higher one starts first")
    webhook: WebhookSpec | None = None
    notes: str | None = Field(default=None, max_length=10_000)
    license: License | None = Field(
        default=None, description="of the model: an SPDX identifier such as MIT or Apache-2.0, or a short text"
    )

    @field_validator("scheduler", mode="before")
    @classmethod
    def _has_few_schedulers(cls, value: Any) -> Any:
        """Bounds nested schedulers: each is tried together with all that it contains."""
        count, level = 0, [value]
        while level and count <= MOST_SCHEDULERS:
            count += len(level)
            inner = [each["schedulers"] for each in level if isinstance(each, dict) and "schedulers" in each]
            level = [each for those in inner if isinstance(those, list) for each in those]
        if count > MOST_SCHEDULERS:
            raise ValueError(f"has more than {MOST_SCHEDULERS} schedulers in one another, the most that is taken")
        return value

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values, as `parse` reads them."""
        # Earlier versions do not know these fields: without them, they can read the spec, and it has the same digest. A
        # `calibration` of null that was asked for is kept, since an absent one has another default.
        absent = dict.fromkeys(
            (name for name in ("license", "evaluation", "threshold") if getattr(self, name) is None), True
        )
        if self.calibration is None and "calibration" not in self.model_fields_set:
            absent["calibration"] = True
        within: dict[str, Any] = {"training": {"freeze": True}} if self.training.freeze is None else {}
        if self.split is not None and self.split.calibration is None:
            within["split"] = {"calibration": True}
        others = self.model_dump(mode="json", exclude={"model_name": True, "data": True, **absent, **within})
        return {"model_name": self.model_name, "data": self.data.to_json(), **others}


class ResolvedSpec(TrainingSpec):
    """A spec with every default filled in: what is trained, and what jobs and manifests record."""

    split: ResolvedSplit
    preprocessing: PreprocessingSpec
    model: ModelSpec
    loss: Loss
    optimizer: Optimizer
    training: ResolvedSettings


def parse(value: object) -> TrainingSpec:
    """A client's spec from decoded JSON.

    Raises:
        InvalidSpec: the first faults, each with its pointer and what would be right.
    """
    return _parse(TrainingSpec, value, try_torch=True)


def parse_resolved(value: object, *, try_torch: bool = False) -> ResolvedSpec:
    """A recorded spec from decoded JSON.

    Args:
        try_torch: whether torch checks the arguments of its classes. For a spec that this service has recorded it must not:
            another version of torch may refuse what an older one accepted.

    Raises:
        InvalidSpec: the first faults, each with its pointer and what would be right.
    """
    return _parse(ResolvedSpec, value, try_torch)


def _parse(cls: type[S], value: object, try_torch: bool) -> S:
    try:
        return cls.model_validate(value, context=FaultBudget(tries=try_torch))
    except ValidationError as error:
        raise InvalidSpec(*faults(error, value)) from None

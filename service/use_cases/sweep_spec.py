"""What a client says of a sweep: a training spec, and beside its fields what is searched and how."""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from service.workflow.errors import InvalidSpec, invalid
from service.workflow.search.space import Dimension, check, grid_size
from service.workflow.search.suggest import Method
from service.workflow.spec_base import COUNTED, FaultBudget, SpecBase, faults

TRIALS = 20
MOST_TRIALS = 1000
MOST_PARALLEL = 16


class SweepSettings(SpecBase):
    """What a sweep searches, and how."""

    search: dict[Annotated[str, Field(max_length=200)], Annotated[Dimension, COUNTED]]
    method: Method = Field(
        default="tpe", description="tpe learns from the trials before; grid tries every combination of choice and int"
    )
    trials: int | None = Field(default=None, ge=1, le=MOST_TRIALS, description="20; of a grid, all its combinations")
    parallel: int | None = Field(
        default=None, ge=1, le=MOST_PARALLEL, description="trials in a round; as many as the service trains at a time"
    )
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        le=31_536_000,
        description="after which trials are cancelled; then the best so far is trained",
    )
    objective: str = Field(
        default="validation_loss",
        max_length=100,
        description="validation_loss, train_loss, or a metric of the validation part such as validation.r2",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="of the suggestions; a trial's own is training.seed")
    keep_versions: bool = Field(default=False, description="whether every trial publishes a version, not only the best")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values, as they are read; of each field only what it has."""
        search = {
            name: {kind: value for kind in Dimension.model_fields if (value := getattr(each, kind)) is not None}
            for name, each in self.search.items()
        }
        return self.model_dump(mode="json", exclude={"search"}) | {"search": search}

    def resolved(self, slots: int) -> "SweepSettings":
        """The settings with their defaults filled in.

        Raises:
            InvalidSpec: a grid has no end, or too many points.
        """
        check(self.search)
        trials = self.trials or TRIALS
        if self.method == "grid":
            size = grid_size(self.search)
            if self.trials is None and size > MOST_TRIALS:
                raise invalid("/search", f"the grid has {size} combinations; a sweep has at most {MOST_TRIALS} trials")
            trials = min(size, self.trials or size)
        parallel = min(self.parallel or min(slots, MOST_PARALLEL), trials)
        return self.model_copy(update={"trials": trials, "parallel": parallel})


def parse_sweep(value: object) -> tuple[SweepSettings, dict[str, Any]]:
    """The settings of a sweep, and the training spec beside them, which is not checked yet.

    Raises:
        InvalidSpec: the first faults of the settings, each with its pointer and what would be right.
    """
    if not isinstance(value, dict):
        raise invalid("", 'expected an object: a training spec, and "search" beside its fields')
    given = {name: each for name, each in value.items() if name in SweepSettings.model_fields}
    if "search" not in given:
        raise invalid("/search", 'is missing: the fields to search, such as {"optimizer.lr": {"log": [0.0001, 0.1]}}')
    try:
        settings = SweepSettings.model_validate(given, context=FaultBudget())
    except ValidationError as error:
        raise InvalidSpec(*faults(error, given)) from None
    return settings, {name: each for name, each in value.items() if name not in SweepSettings.model_fields}

"""Step 8, the settings of the training loop."""

from typing import Annotated, Any, Literal

from pydantic import Field

from service.workflow.spec_base import COUNTED, SpecBase

EPOCHS = 100
BATCH_SIZE = 256


Monitor = Literal["validation_loss", "train_loss", "mean_answer_loss"]


class EarlyStopping(SpecBase):
    """Ends the training when the monitored loss has not fallen for `patience` epochs, and goes back to the best."""

    patience: int = Field(default=20, ge=1, description="epochs without a lower loss")
    min_delta: float = Field(default=0.0, ge=0, description="how much lower counts")
    monitor: Monitor = Field(
        default="validation_loss", description="mean_answer_loss is the validation loss of an ensemble's mean answer"
    )


class EMA(SpecBase):
    """Keeps an exponential moving average of the weights, and uses it in their place."""

    decay: float = Field(default=0.999, ge=0, lt=1)


Pattern = Annotated[str, Field(min_length=1, max_length=200), COUNTED]
Epochs = Annotated[int, Field(ge=0, le=10_000_000)]
BatchSize = Annotated[int, Field(ge=1)] | Literal["full"]


class TrainingSettings(SpecBase):
    """How long, in what steps, from which seed, on what."""

    epochs: Epochs | None = Field(default=None, description="100, or what the model's formula says")
    batch_size: BatchSize | None = Field(default=None, description='rows in a step, or "full"; 256')
    seed: int = Field(default=0, ge=0, lt=2**63)
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:[0-9]{1,2})?)$", description="auto, cpu, cuda, cuda:N"
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_clipping: float | None = Field(
        default=None, gt=0, description="the largest norm of all gradients together"
    )
    accumulation_steps: int = Field(default=1, ge=1, le=10_000_000, description="batches in one step of the optimizer")
    early_stopping: EarlyStopping | None = Field(
        default=None, description="ends the training when the loss no longer falls; null never does"
    )
    ema: EMA | None = None
    freeze: Annotated[list[Pattern], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="patterns of names of parameters, such as encoder.*, that are not trained"
    )
    max_seconds: float | None = Field(default=None, gt=0, description="ends the training, which still succeeds")
    max_samples: int | None = Field(default=None, ge=1, description="ends the training, which still succeeds")
    deterministic: bool = True


class ResolvedSettings(TrainingSettings):
    """The settings with every default filled in."""

    epochs: Epochs
    batch_size: BatchSize


def steps(settings: ResolvedSettings, rows: int) -> int:
    """The steps of the optimizer in all epochs, if nothing ends the training before."""
    size = settings.batch_size
    batches = 1 if size == "full" or size >= rows else rows // size + (rows % size > 1)
    return settings.epochs * -(-batches // settings.accumulation_steps)


def resolve(
    given: TrainingSettings, defaults: dict[str, Any], train_rows: int, monitor: Monitor | None
) -> ResolvedSettings:
    """The settings with every default filled in: those of the model's kind, else the general ones. `monitor` is the kind's own
    for early stopping, None if it does not stop early when the spec does not say."""
    filled: dict[str, Any] = {
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE if train_rows > BATCH_SIZE else "full",
        "early_stopping": None if monitor is None else EarlyStopping(monitor=monitor),
        **defaults,
    }
    # Null means the default, except for early stopping.
    kept = {name for name in given.model_fields_set if name == "early_stopping" or getattr(given, name) is not None}
    filled |= {name: getattr(given, name) for name in kept}
    stopping = filled["early_stopping"]
    if monitor is not None and isinstance(stopping, EarlyStopping) and "monitor" not in stopping.model_fields_set:
        filled["early_stopping"] = stopping.model_copy(update={"monitor": monitor})
    return ResolvedSettings.model_validate(filled)

"""The data of a model's charts: sampled when it is trained, so that charts do not need the data set."""

from pydantic import BaseModel, ConfigDict

from service.workflow.data.types.names import Scalar

MOST_POINTS = 2000
MOST_FEATURES = 9
MOST_HISTOGRAMS = 24
BINS = 40


class ParameterHistogram(BaseModel):
    """The histogram of one parameter's values."""

    model_config = ConfigDict(frozen=True)

    name: str
    edges: list[float]
    counts: list[int]


class Points(BaseModel):
    """Sampled rows: the first features, the part of each row, truth and prediction of the first target, and for a class or a
    label the probability of the prediction. And the histograms of the parameters."""

    model_config = ConfigDict(frozen=True)

    features: dict[str, list[Scalar | None]]
    part: list[str]
    truth: list[Scalar]
    prediction: list[Scalar | None]
    probability: list[float | None] | None = None
    parameters: list[ParameterHistogram] = []

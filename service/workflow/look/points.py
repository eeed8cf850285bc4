"""What every chart of a model is drawn from: sampled when the model is made, so that its charts outlive the data."""

from pydantic import BaseModel, ConfigDict

from service.workflow.data.schema import Scalar

MOST_POINTS = 2000
MOST_FEATURES = 9
MOST_HISTOGRAMS = 24
BINS = 40


class ParameterHistogram(BaseModel):
    """How the values of one parameter are spread: counts between edges."""

    model_config = ConfigDict(frozen=True)

    name: str
    edges: list[float]
    counts: list[int]


class Points(BaseModel):
    """Sampled rows: the first features, the part each row was in, truth and prediction of the first target, and for a
    class or a label the probability of what was predicted. Beside them the parameters' histograms."""

    model_config = ConfigDict(frozen=True)

    features: dict[str, list[Scalar | None]]
    part: list[str]
    truth: list[Scalar]
    prediction: list[Scalar | None]
    probability: list[float | None] | None = None
    parameters: list[ParameterHistogram] = []

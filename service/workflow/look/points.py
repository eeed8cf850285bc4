"""The data of a model's charts: recorded when it is trained, so that charts do not need the data set."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.workflow.data.types.names import Scalar
from service.workflow.look.dependence import PartialDependence
from service.workflow.look.examples import MOST_FILTERS, Count, Examples, Picture

MOST_POINTS = 2000
MOST_FEATURES = 9
MOST_TARGETS = 6
MOST_HISTOGRAMS = 24
BINS = 40
MOST_CURVES = 20
MOST_THRESHOLDS = 200  # of a curve


class ParameterHistogram(BaseModel):
    """The histogram of one parameter's values."""

    model_config = ConfigDict(frozen=True)

    name: str
    edges: list[float]
    counts: list[int]


class TargetPoints(BaseModel):
    """Truth and prediction of one target in the sampled rows, and for a class or a label the probability of the prediction."""

    model_config = ConfigDict(frozen=True)

    name: str
    truth: list[Scalar]
    prediction: list[Scalar | None]
    probability: list[float | None] | None = None


class ThresholdCurve(BaseModel):
    """How well its probability tells the rows of one class or label from the other rows.

    `position` is the class's or label's among `Signature.labels`. `true_positives` and `false_positives` count the rows of the
    class, and the others, whose probability reaches a threshold: from the highest threshold, which no row reaches, to the lowest,
    which all reach. They are of all rows of the part, at no more than `MOST_THRESHOLDS` thresholds; the areas are exact.
    """

    model_config = ConfigDict(frozen=True)

    position: Count
    true_positives: list[Count]
    false_positives: list[Count]
    roc_area: Annotated[float, Field(ge=0, le=1)]
    average_precision: Annotated[float, Field(ge=0, le=1)]


class ThresholdCurves(BaseModel):
    """The curves of `part`, for classes and labels that some of its rows have and others do not; of many, the frequent ones'."""

    model_config = ConfigDict(frozen=True)

    part: str
    curves: list[ThresholdCurve]


class ReliabilityBins(BaseModel):
    """How often the predicted class is right, in bins of equal width of its probability: for each the rows, the mean of that
    probability (0 without rows), and the rows that are right."""

    model_config = ConfigDict(frozen=True)

    rows: list[Count]
    confidence: list[Annotated[float, Field(ge=0, le=1)]]
    right: list[Count]

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over the rows of what the share of right answers in a bin and its mean
        probability differ by."""
        pairs = zip(self.rows, self.confidence, self.right, strict=True)
        return sum(abs(right - rows * confidence) for rows, confidence, right in pairs) / max(sum(self.rows), 1)


class Reliability(BaseModel):
    """The bins of all rows of `part`."""

    model_config = ConfigDict(frozen=True)

    part: str
    bins: ReliabilityBins


class Points(BaseModel):
    """Sampled rows: the first features, the part of each row, truth and prediction of the first target, and for a class or a
    label the probability of the prediction. The same of some more targets, which versions from before have not. The histograms
    of the parameters. And the curves and the reliability of a classification, and the partial dependence, which versions from
    before have not. Where values
    have a shape: the characters of each text in the sampled rows, examples, and the filters of the first convolution."""

    model_config = ConfigDict(frozen=True)

    features: dict[str, list[Scalar | None]]
    part: list[str]
    truth: list[Scalar]
    prediction: list[Scalar | None]
    probability: list[float | None] | None = None
    more_targets: list[TargetPoints] = []
    parameters: list[ParameterHistogram] = []
    curves: ThresholdCurves | None = None
    reliability: Reliability | None = None
    dependence: PartialDependence | None = None
    lengths: dict[str, list[Count]] = {}
    examples: Examples | None = None
    filters: Annotated[list[Picture], Field(max_length=MOST_FILTERS)] = []

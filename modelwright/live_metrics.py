"""Feedback on predictions, and the metrics that the service makes from it."""

from modelwright.results import Result


class FeedbackTaken(Result):
    """How many truths were kept, and of how many predictions of each version, by its number."""

    kept: int
    versions: dict[str, int]


class LiveMetrics(Result):
    """The metrics of a version on predictions whose truth is known, `live`, beside those of its test part, `test`. `live` is None
    if `enough` is false: then there are fewer than `needed`."""

    name: str
    version: int
    hours: float
    since: str
    rows: int
    without_answer: int
    complete: bool
    enough: bool
    needed: int
    live: dict[str, float | None] | None
    test: dict[str, float | None] | None

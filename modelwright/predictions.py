"""Predictions by the name of a model, and whether the service is ready: calls of the client."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelwright.calls import Version, json_of, path, version_path
from modelwright.errors import ApiError, Unreachable
from modelwright.live_metrics import FeedbackTaken, LiveMetrics
from modelwright.methods import operation
from modelwright.results import Explanations, Predictions
from modelwright.steps import Call, Steps


class Predicting:
    """Predictions, as steps."""

    @operation
    def predict(
        self,
        name: str,
        instances: Sequence[Any] | None = None,
        *,
        inputs: Mapping[str, Sequence[Any]] | None = None,
        query: Mapping[str, Any] | None = None,
        version: Version | None = None,
        interval: float | None = None,
        request_id: str | None = None,
    ) -> Steps[Predictions]:
        """Predictions for rows (`instances`), for columns (`inputs`), or for a `query` by GET. A value may be a file: a path,
        bytes, or an image of Pillow. `Model.predict` takes DataFrames, arrays and tensors, too.

        With an `interval`, such as 0.9, each is `{"prediction", "interval"}`, or `{"label", "probabilities", "set"}`: the truth
        is in it with this probability. The version must have been trained with `split.calibration`.

        With a `request_id` of your own you can say later what was true: `feedback`."""
        if sum(given is not None for given in (instances, inputs, query)) != 1:
            raise TypeError("give either instances, inputs or query")
        address = path("models", name, "predictions") if version is None else version_path(name, version, "predictions")
        headers = {} if request_id is None else {"Request-Id": request_id}
        if query is not None:
            asked_too = query if interval is None else {**query, "interval": interval}
            return Predictions((yield from json_of(Call("GET", address, query=asked_too, headers=headers))))
        from modelwright.rows import JSON, json_of_rows  # not needed by those who only look

        asked = {} if interval is None else {"interval": interval}
        body = json_of_rows(({"inputs": inputs} if instances is None else {"instances": instances}) | asked)
        call = Call("POST", address, headers={**headers, "Content-Type": JSON}, content=body, repeatable=True)
        return Predictions((yield from json_of(call)))

    @operation
    def explain(
        self,
        name: str,
        instances: Sequence[Any] | None = None,
        *,
        inputs: Mapping[str, Sequence[Any]] | None = None,
        label: Any = None,
        target: str | None = None,
        version: Version | None = None,
    ) -> Steps[Explanations]:
        """What each input adds to the answers to at most 100 rows (`instances`) or columns (`inputs`).

        Args:
            label: the class whose probability is explained, in place of the predicted one.
            target: the only one of several targets or labels that is explained.
        """
        if (instances is None) == (inputs is None):
            raise TypeError("give either instances or inputs")
        rows = {"inputs": inputs} if instances is None else {"instances": instances}
        return (yield from explanations(name, version, rows, label, target))

    @operation
    def feedback(self, name: str, feedback: Sequence[Mapping[str, Any]]) -> Steps[FeedbackTaken]:
        """Says what was true of predictions that the service has logged.

        Args:
            name: the model.
            feedback: up to 1000 of `{"request_id": …, "row": 0, "truth": …}`: the id of the request, the row in it, and a number,
                a list of numbers for several targets, a class, or the list of the labels that are true. All or none are kept; a
                later truth of a row replaces the earlier one.

        Raises:
            PredictionLogOff: the service does not log predictions.
            PredictionNotFound: it does not have one of the requests.
        """
        call = Call("POST", path("models", name, "feedback"), json={"feedback": list(feedback)}, repeatable=True)
        return FeedbackTaken((yield from json_of(call)))

    @operation
    def live_metrics(self, name: str, version: Version | None = None, *, hours: float = 24.0) -> Steps[LiveMetrics]:
        """The metrics of a version on the predictions of the last hours whose truth is known by feedback, beside those of its
        test part; without a version of the one in use."""
        query = {"hours": str(hours)} | ({} if version is None else {"version": str(version)})
        return LiveMetrics((yield from json_of(Call("GET", path("models", name, "live-metrics"), query=query))))

    @operation
    def ready(self) -> Steps[bool]:
        """Whether the service can be reached and is ready to predict."""
        try:
            yield Call("GET", "/readyz", repeatable=False)
        except (Unreachable, ApiError):
            return False
        return True


def explanations(
    name: str, version: Version | None, rows: Mapping[str, Any], label: Any, target: str | None
) -> Steps[Explanations]:
    """The explanation of the answers to rows or columns."""
    from modelwright.rows import JSON, json_of_rows  # not needed by those who only look

    model = path("models", name) if version is None else version_path(name, version)
    chosen = {"class": label, "target": target}
    body = json_of_rows({**rows, **{which: value for which, value in chosen.items() if value is not None}})
    call = Call("POST", f"{model}:explain", headers={"Content-Type": JSON}, content=body, repeatable=True)
    return Explanations((yield from json_of(call)))

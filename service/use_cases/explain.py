"""Explain: what each input adds to the answers of a version, from the request's document to the response's."""

import time
from collections.abc import Callable
from typing import Any

from model_store import Store
from service.model_reference import ModelReference
from service.serving.codecs.explanations import document_of, read
from service.serving.errors import DeadlineExceeded
from service.serving.explanation import explain as explain_answers
from service.serving.memory_budget import Share, counted
from service.serving.warm_models import WarmModels
from service.signatures.signatures import Signatures
from service.use_cases.cancellation import check_cancelled
from service.use_cases.predict import choose, load, served


def explain(
    store: Store,
    models: WarmModels,
    signatures: Signatures,
    model: ModelReference,
    document: Any,
    share: Share,
    deadline: float | None,
) -> dict[str, Any]:
    """Explains the answers to the rows of a document.

    Args:
        store, models, signatures: as of a prediction.
        model: the requested model.
        document: decoded JSON.
        share: of the memory budget.
        deadline: in seconds of `time.perf_counter`.

    Raises:
        StoreError: the version does not exist, or cannot be read.
        InvalidInstances: what is wrong, by row and column.
        ServingError: one of `service/serving/errors.py`.
        Cancelled: the client has disconnected.
    """
    found = choose(store, *model)
    warm = load(store, models, signatures, served(found))
    with counted(share):
        raw, chosen = read(warm, document)
    row = found.manifest.get("baseline") or {}  # versions from before it was recorded have none
    explained = explain_answers(warm, raw, row, chosen, _checks(deadline))
    return document_of(warm, found.name, found.number, row, explained, alone=chosen is not None)


def _checks(deadline: float | None) -> Callable[[], None]:
    def check() -> None:
        check_cancelled()
        if deadline is not None and time.perf_counter() > deadline:
            raise DeadlineExceeded

    return check

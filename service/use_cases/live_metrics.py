"""Live metrics: those of an evaluation, on the predictions of the last hours whose truth is known by feedback."""

import math
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from model_store import Version
from model_store.clock import rfc3339
from service.use_cases.feedback_file import newest
from service.use_cases.prediction_log import PredictionLog
from service.workflow.encode import answers_dtype
from service.workflow.evaluation import metrics_of
from service.workflow.signature import Signature

LEAST_ROWS = 20  # below which metrics would say more of chance than of the model
MOST_ROWS = 100_000  # the newest


def live_metrics(log: PredictionLog, version: Version, hours: float) -> dict[str, Any]:
    """The metrics of a version on the truths of the last hours beside those of its test part. No figures for fewer than
    `LEAST_ROWS` rows. Rows whose answer is not finite are counted and left out.

    Raises:
        NoSpace, Unavailable: the feedback cannot be read.
    """
    signature = Signature.model_validate(version.manifest["signature"])
    now = time.time()
    judged = newest(log.files.of(version.name, version.number), now - hours * 3600, MOST_ROWS)
    finite = [each for each in judged if all(map(math.isfinite, each[0]))]
    enough = len(finite) >= LEAST_ROWS
    live = None
    if enough:
        given = np.array([answer for answer, _ in finite], answers_dtype(signature.outputs))  # as the model gave them
        truths = torch.tensor([truth for _, truth in finite], dtype=torch.float64)
        live = metrics_of(signature, torch.from_numpy(given), truths)
    return {
        "name": version.name,
        "version": version.number,
        "hours": hours,
        "since": rfc3339(datetime.fromtimestamp(now - hours * 3600, UTC)),
        "rows": len(finite),
        "without_answer": len(judged) - len(finite),
        "complete": len(judged) < MOST_ROWS,
        "enough": enough,
        "needed": LEAST_ROWS,
        "live": live,
        "test": (version.manifest.get("metrics") or {}).get("test"),
    }

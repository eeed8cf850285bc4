"""Drift of a version: the rows that it has predicted lately beside its reference."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from model_store import Version
from service.jobs.drift_counts import HOUR, DriftCounts, HourOfVersion
from service.serving.row_counter import HourCounts
from service.use_cases.version_reference import reference_in
from service.workflow import drift
from service.workflow.binning import Binning
from service.workflow.errors import NotAvailable
from service.workflow.reference import ColumnReference
from service.workflow.signature import Signature


def keep(counts: DriftCounts, hours: Sequence[HourCounts]) -> None:
    """Writes what a process has counted to the journal."""
    counts.put(
        HourOfVersion(
            each.version.name,
            each.version.number,
            each.version.digest,
            each.hour,
            each.source,
            each.rows,
            each.counts,
        )
        for each in hours
    )


def drift_of(
    counts: DriftCounts, version: Version, hours: int, clock: Callable[[], float] = time.time
) -> dict[str, Any]:
    """The drift of a version, as the API answers it (`api/schemas/drift.py`).

    Args:
        counts: of all processes.
        version: whose manifest has the reference.
        hours: the window: from the beginning of the hour so many hours ago until now.
        clock: gives the seconds since 1970.

    Raises:
        NotAvailable: the version has no reference.
    """
    reference = reference_in(version)
    if reference is None:
        raise NotAvailable(
            f"version {version.number} has no reference for drift: a release before this one has trained it. Train it again"
        )
    since = int(clock() // HOUR) - hours
    binning = Binning(Signature.model_validate(version.manifest["signature"]), reference)
    rows, cells = counts.total(version.name, version.number, version.digest, since, binning.cells)
    enough = rows >= drift.FEWEST_ROWS
    columns = [*reference.inputs, *reference.answers]
    compared = drift.compare(columns, binning.split(cells)) if enough else []
    found = [_column(each, of, ours) for each, of, ours in zip(compared, columns, binning.split(cells), strict=False)]
    split = len(reference.inputs)
    return {
        "name": version.name,
        "version": version.number,
        "digest": version.digest,
        "since": datetime.fromtimestamp(since * HOUR, UTC).isoformat().replace("+00:00", "Z"),
        "rows": rows,
        "enough": enough,
        "reason": None if enough else f"{rows} rows were counted; there is a statement from {drift.FEWEST_ROWS} on",
        "drifted": any(each.drifted for each in compared) if enough else None,
        "level": drift.LEVEL,
        "threshold": drift.THRESHOLD,
        "inputs": found[:split],
        "answers": found[split:],
        "answers_part": reference.answers_part,
        "left_out": reference.left_out,
    }


def _column(found: drift.ColumnDrift, of: ColumnReference, counts: list[int]) -> dict[str, Any]:
    return {
        "name": found.name,
        "drifted": found.drifted,
        "psi": found.psi,
        "p_value": found.p_value,
        "statistic": found.statistic,
        "degrees": found.degrees,
        "rows": found.rows,
        "reference_rows": found.reference_rows,
        "missing": found.missing,
        "reference_missing": found.reference_missing,
        "unknown": found.unknown,
        "reference_unknown": found.reference_unknown,
        "edges": of.edges,
        "codes": of.codes,
        "counts": counts[: len(of.counts)],
        "reference_counts": of.counts,
    }

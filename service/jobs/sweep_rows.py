"""Sweeps and trials from the journal's rows."""

from typing import Any

from sqlalchemy import Connection, select, update

from service.jobs import tables
from service.jobs.errors import SOFTWARE_ERROR, SweepNotFound
from service.jobs.job import DAMAGED, Status
from service.jobs.records import outline
from service.jobs.rows import damage, json_or
from service.jobs.seals import Row, broken, sealed
from service.jobs.sweep import SWEEP_FINAL, Sweep, SweepStatus, Trial

GONE = {"code": "job_not_found", "detail": "the job of this trial was deleted before it had ended"}
# All but the records, which may be 16 MiB.
COLUMNS = [column for column in tables.sweeps.c if column.name != "records"]


def found_sweep(connection: Connection, sweep_id: str, *, lock: bool = False) -> Row:
    """The sweep's row, as `found` does it for jobs.

    Raises:
        SweepNotFound: there is none with this id.
    """
    if "\0" in sweep_id:  # PostgreSQL would refuse it
        raise SweepNotFound
    query = select(*COLUMNS).where(tables.sweeps.c.id == sweep_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise SweepNotFound
    return row


def change_sweep(connection: Connection, row: Row, **values: Any) -> Row:
    """Sets columns of a sweep and renews its seal, unless it did not fit before; returns the new row."""
    fresh = {**row, **values}
    if not broken("sweeps", row):
        fresh = sealed("sweeps", fresh)
    connection.execute(
        update(tables.sweeps).where(tables.sweeps.c.seq == row["seq"]).values(**values, seal=fresh["seal"])
    )
    return fresh


def sweep_of(row: Row, trials: tuple[Trial, ...]) -> Sweep:
    """The sweep of a row of `sweeps`. Of a damaged row, whatever can still be read."""
    is_damaged = broken("sweeps", row) or any((each.error or {}).get("code") == DAMAGED for each in trials)
    status = next((each for each in SweepStatus if each == row["status"]), SweepStatus.FAILED)
    return Sweep(
        id=str(row["id"]),
        status=SweepStatus.FAILED if is_damaged and status not in SWEEP_FINAL else status,
        requested=row["requested"],
        model_name=str(row["model_name"]),
        spec=outline(json_or(row["spec"], {})),
        settings=json_or(row["settings"], {}),
        created_at=str(row["created_at"]),
        deadline=row["deadline"],
        finished_at=row["finished_at"],
        best=row["best"],
        winner_job=row["winner_job"],
        result=json_or(row["result"], {}) if row["result"] else None,
        error=damage("this sweep") if is_damaged else json_or(row["error"], {}) if row["error"] else None,
        trials=trials,
    )


def trial_of(row: Row, sweep_id: str, *, vectorized: bool) -> Trial:
    """The trial. While it has not ended, its status, result and error are those of its job, or its part of those.

    Args:
        vectorized: whether its job trains others with it.
    """
    ended = row["status"] is not None
    result, error = (row["result"], row["error"]) if ended else (row["job_result"], row["job_error"])
    status = row["status"] if ended else row["job_status"]
    read_result, read_error = (json_or(each, {}) if each else None for each in (result, error))
    if vectorized and not ended and read_result is not None:
        read_result, read_error = _own_part(read_result, row["number"])
        status = Status.SUCCEEDED if read_error is None else Status.FAILED
    if not ended and status is None:
        status, read_error = Status.FAILED, GONE
    if broken("trials", row, sweep_id):
        read_error = damage("this trial")
    return Trial(
        number=row["number"],
        job_id=row["job_id"],
        settings=json_or(row["settings"], {}),
        status=next((each for each in Status if each == status), Status.FAILED),
        ended=ended,
        objective=row["objective"],
        result=read_result,
        error=read_error,
        vectorized=vectorized,
    )


def _own_part(result: dict[str, Any], number: int) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """A trial's own result and error, from the result of a job that has trained several."""
    own = result.get("trials", {}).get(str(number), {"error": SOFTWARE_ERROR})
    if "error" in own:
        return None, own["error"]
    return {name: value for name, value in result.items() if name != "trials"} | own, None

"""Training jobs: calls of the client."""

import json
import os
import re
import unicodedata
from os import PathLike
from pathlib import Path
from typing import Any, cast

from modelwright.calls import as_it_is, job_path, json_of, pages
from modelwright.datasets import table_name, upload
from modelwright.errors import ModelwrightError
from modelwright.job import AsyncJob, Job, attempts, ended, events
from modelwright.json_types import Json, is_object
from modelwright.methods import operation, returns, stream, yields
from modelwright.results import Attempt, Dataset, Event, Metrics, Plan
from modelwright.steps import Call, Steps, Stream

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 64


class Jobs:
    """Training jobs, as steps."""

    @returns(lambda: (Job, AsyncJob))
    def train(
        self,
        data: Any,
        /,
        target: str | list[str] | None = None,
        *,
        model_name: str | None = None,
        idempotency_key: str | None = None,
        **parts: Any,
    ) -> Steps[Json]:
        """Starts a training job: of a table, which is uploaded first, or of a spec.

        Args:
            data: with a `target`: the path of a table, a DataFrame of pandas or polars, a list of dictionaries, or a `Dataset`.
                Without: a spec, or the path of one in JSON.
            target: the column to predict, or several.
            model_name: of the model, and of the data set; else the name of the file or data set, or the target's.
            idempotency_key: a repetition with the same key and spec returns the same job. Else a key of this one call makes
                it safe to send again.
            parts: further parts of the spec: `model={"kind": "mlp"}`, `training={"epochs": 50}`. In `data` the fields beside
                data set and target: `data={"features": ["area"]}`.

        Raises:
            UnusableData: there is no table in `data`.
            ApiError: the service has refused the table or the spec; `errors` points at what is wrong.
        """
        if model_name is not None:
            parts["model_name"] = model_name
        spec = yield from spec_of(data, target, parts)
        headers = {"Idempotency-Key": idempotency_key or os.urandom(16).hex()}
        return (yield from json_of(Call("POST", "/v1/training-jobs", headers=headers, json=spec)))

    @operation
    def validate(self, spec: Json) -> Steps[Plan]:
        """Checks a spec without training: the resolved spec, the number of parameters, the rows of each part."""
        call = Call("POST", "/v1/training-jobs/validate", json=spec, repeatable=True)
        return Plan((yield from json_of(call)))

    @returns(lambda: (Job, AsyncJob))
    def job(self, job_id: str, wait: float | None = None) -> Steps[Json]:
        """A job; with `wait`, once it has ended or that many seconds (at most 60) have passed."""
        query = {} if wait is None else {"wait": wait}
        return (yield from json_of(Call("GET", job_path(job_id), query=query, timeout=wait)))

    @returns(lambda: (Job, AsyncJob))
    def wait(self, job_id: str) -> Steps[Json]:
        """The job once it has succeeded; `JobFailed` when it ends otherwise."""
        return (yield from ended(job_id))

    @yields(lambda: (Job, AsyncJob))
    def jobs(self, status: str | None = None, model_name: str | None = None) -> Stream[Json]:
        """All jobs, newest first."""
        wanted = {"status": status, "model_name": model_name}
        query = {name: value for name, value in wanted.items() if value}
        yield from pages(as_it_is, "/v1/training-jobs", "id", query)

    @returns(lambda: (Job, AsyncJob))
    def cancel(self, job_id: str) -> Steps[Json]:
        """Ends a job without a model."""
        return (yield from json_of(Call("POST", job_path(job_id, "cancel"))))

    @returns(lambda: (Job, AsyncJob))
    def pause(self, job_id: str) -> Steps[Json]:
        """Lets a job save a checkpoint and pause, which frees its slot."""
        return (yield from json_of(Call("POST", job_path(job_id, "pause"))))

    @returns(lambda: (Job, AsyncJob))
    def resume(self, job_id: str) -> Steps[Json]:
        """Resumes a paused job from its checkpoint."""
        return (yield from json_of(Call("POST", job_path(job_id, "resume"))))

    @operation
    def attempts(self, job_id: str) -> Steps[list[Attempt]]:
        """The attempts at a job, oldest first: when each ran, the status of the job at its end, and the cause."""
        return (yield from attempts(job_id))

    @stream
    def events(self, job_id: str, last_event_id: int | str | None = None) -> Stream[Event]:
        """The events of a job, live, until it has ended; reconnects after a broken connection without losing events."""
        yield from events(job_id, last_event_id)

    @operation
    def metrics(self, job_id: str) -> Steps[Metrics]:
        """The series of each metric over the epochs so far."""
        return Metrics((yield from json_of(Call("GET", job_path(job_id, "metrics")))))


def spec_of(data: Any, target: str | list[str] | None, parts: dict[str, Any]) -> Steps[Json]:
    """The spec of a training, from what `train` takes; a table is uploaded."""
    if target is None:
        return _spec(data) | parts
    return (yield from _of_table(data, target, parts))


def _spec(data: Any) -> Json:
    """A spec, or that of a file."""
    if isinstance(data, str | PathLike):
        path = Path(cast("str | PathLike[str]", data))
        if path.suffix.lower() != ".json":
            raise TypeError(f'{path.name} is a table: give the column to predict, target="…"; a spec is a file in JSON')
        try:
            data = json.loads(path.read_bytes())
        except ValueError as error:
            raise ModelwrightError(f"{path.name} is not valid JSON: {error}") from None
    if not isinstance(data, dict) or isinstance(data, Dataset):
        raise TypeError('give the column to predict, target="…"; only a spec, which is a JSON object, has its own')
    return dict(cast("Json", data))


def _of_table(data: Any, target: str | list[str], parts: dict[str, Any]) -> Steps[Json]:
    """Uploads a table unless it is a data set already; returns the spec of a training on it."""
    given = parts.get("model_name")
    if is_object(data) and not isinstance(data, Dataset):
        raise TypeError("a spec has its target in its data; a table as a dictionary of columns is a DataFrame first")
    if isinstance(data, Dataset):
        name = data.name
    elif isinstance(data, str | PathLike):
        path = Path(cast("str | PathLike[str]", data))
        name = given or _name_of(table_name(path))
        yield from json_of(upload(name, path))
    else:
        name = given or _name_of(target if isinstance(target, str) else target[0])
        from modelwright.rows import table_of  # not needed for files

        content, media_type = table_of(data)
        yield from json_of(upload(name, content, media_type))
    about = {"kind": "dataset", "dataset": name, "target": target}
    return {"model_name": name} | parts | {"data": parts.get("data", {}) | about}


def _name_of(text: str) -> str:
    """A name that the service accepts, from the name of a file or a column."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _NOT_IN_NAMES.sub("-", plain.lower()).strip("-")[:_LONGEST_NAME].strip("-") or "table"

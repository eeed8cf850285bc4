"""Every call of the HTTP API, each written once as a generator of steps."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from modelwright.answers import Json
from modelwright.calls import Version
from modelwright.calls import job_path as _job
from modelwright.calls import json_of as _json
from modelwright.calls import path as _path
from modelwright.calls import version_path as _version
from modelwright.downloads import FilePath, save
from modelwright.errors import ApiError, JobFailed, Unreachable
from modelwright.events import EventParser
from modelwright.methods import operation, stream
from modelwright.steps import Call, Item, Pause, Read, Steps, Stream

FINAL = frozenset({"succeeded", "failed", "cancelled"})
BYTES = "application/octet-stream"  # the service detects the format
MEDIA_TYPES = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".dat"), "text/csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "application/x-ndjson"),
    ".json": "application/json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    **dict.fromkeys((".parquet", ".pq"), "application/vnd.apache.parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "application/vnd.apache.arrow.file"),
    ".arrows": "application/vnd.apache.arrow.stream",
}
_PACKED = (".gz", ".zip")
_PAGE = 100
_WAIT_SECONDS = 30
_RECONNECTIONS = 8
_EXPORT_SECONDS = 60  # that the service may take to write an export


class Operations:
    """Every call of the API, as steps, which `Client` and `AsyncClient` execute."""

    # Training jobs

    @operation
    def train(self, spec: Json, idempotency_key: str | None = None) -> Steps[Json]:
        """Starts a training job; a repetition with the same key and spec returns the same job."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return (yield from _json(Call("POST", "/v1/training-jobs", headers=headers, json=spec)))

    @operation
    def validate(self, spec: Json) -> Steps[Json]:
        """Checks a spec without training: the resolved spec, the number of parameters, the rows of each part."""
        return (yield from _json(Call("POST", "/v1/training-jobs/validate", json=spec)))

    @operation
    def job(self, job_id: str, wait: float | None = None) -> Steps[Json]:
        """A job; with `wait`, once it has ended or that many seconds (at most 60) have passed."""
        query = {} if wait is None else {"wait": wait}
        return (yield from _json(Call("GET", _job(job_id), query=query, timeout=wait)))

    @operation
    def wait(self, job_id: str) -> Steps[Json]:
        """The job once it has succeeded; `JobFailed` when it ends otherwise."""
        while True:
            try:
                job = yield from _json(Call("GET", _job(job_id), query={"wait": _WAIT_SECONDS}, timeout=_WAIT_SECONDS))
            except ApiError as error:
                if error.status != httpx.codes.TOO_MANY_REQUESTS:
                    raise
                # Too many requests wait already; the job continues.
                yield Pause(1 if error.retry_after is None else error.retry_after)
                continue
            if job["status"] == "succeeded":
                return job
            if job["status"] in FINAL:
                raise JobFailed(job)

    @stream
    def jobs(self, status: str | None = None, model_name: str | None = None) -> Stream[Json]:
        """All jobs, newest first."""
        wanted = {"status": status, "model_name": model_name}
        yield from _pages("/v1/training-jobs", "id", {name: value for name, value in wanted.items() if value})

    @operation
    def cancel(self, job_id: str) -> Steps[Json]:
        """Ends a job without a model."""
        return (yield from _json(Call("POST", _job(job_id, "cancel"))))

    @operation
    def pause(self, job_id: str) -> Steps[Json]:
        """Lets a job save a checkpoint and pause, which frees its slot."""
        return (yield from _json(Call("POST", _job(job_id, "pause"))))

    @operation
    def resume(self, job_id: str) -> Steps[Json]:
        """Resumes a paused job from its checkpoint."""
        return (yield from _json(Call("POST", _job(job_id, "resume"))))

    @operation
    def attempts(self, job_id: str) -> Steps[list[Json]]:
        """The attempts at a job, oldest first: when each ran, the status of the job at its end, and the cause."""
        return list((yield from _json(Call("GET", _job(job_id, "attempts"))))["data"])

    @stream
    def events(self, job_id: str, last_event_id: int | str | None = None) -> Stream[Json]:
        """The events of a job, live, until it has ended; reconnects after a broken connection without losing events."""
        parser = EventParser("" if last_event_id is None else str(last_event_id))
        connected, failures = False, 0
        while True:
            try:
                response = yield _open_events(job_id, parser.last_event_id)
                if response.status_code == httpx.codes.NO_CONTENT:
                    return
                connected, failures = True, 0
                while chunk := (yield Read()):
                    for event in parser.feed(chunk):
                        yield Item(event)
                        if event["type"] == "status" and event["data"].get("status") in FINAL:
                            return
            except (Unreachable, ApiError) as error:
                failures += 1
                busy = isinstance(error, ApiError) and error.status == httpx.codes.TOO_MANY_REQUESTS
                broken = connected and (isinstance(error, Unreachable) or error.status == 503)
                if not (busy or broken) or failures > _RECONNECTIONS:
                    raise
            parser.restart()
            yield Pause(min(parser.retry * 2**failures, 5))

    @operation
    def metrics(self, job_id: str) -> Steps[Json]:
        """The series of each metric over the epochs so far."""
        return (yield from _json(Call("GET", _job(job_id, "metrics"))))

    # Data sets

    @operation
    def upload_dataset(
        self, /, name: str, data: FilePath | bytes, media_type: str | None = None, **reading: Any
    ) -> Steps[Json]:
        """Makes a new version of a data set from a file, streamed, or from bytes.

        The format is detected by the suffix, or else by the content. How the file is read is detected, except for the options
        in `reading`: `separator`, `decimal`, `encoding`, `missing` (a list of words), `skip_lines`, `sheet`, `date_formats`
        and `types` (by column).
        """
        query = {name: _in_query(value) for name, value in reading.items() if value is not None}
        return (yield from _json(_upload("PUT", _path("datasets", name), data, media_type, query)))

    @operation
    def change_dataset(self, name: str, reading: Json | None = None, types: Json | None = None) -> Steps[Json]:
        """Makes a new version of a data set from the newest one's bytes, read in another way: `reading` as in
        `upload_dataset`, `types` by column. None as a value resets an option."""
        wanted = {"reading": reading, "types": types}
        changes = {name: value for name, value in wanted.items() if value is not None}
        return (yield from _json(Call("PATCH", _path("datasets", name), json=changes)))

    @stream
    def datasets(self) -> Stream[Json]:
        """All data sets, by name."""
        yield from _pages("/v1/datasets", "name")

    @operation
    def dataset(self, name: str) -> Steps[Json]:
        """The newest version of a data set: its columns, rows and digest, and how it is read."""
        return (yield from _json(Call("GET", _path("datasets", name))))

    @operation
    def delete_dataset(self, name: str) -> Steps[None]:
        """Removes a data set; jobs that wait for it fail."""
        yield Call("DELETE", _path("datasets", name))

    # Models

    @stream
    def models(self) -> Stream[Json]:
        """All models, by name."""
        yield from _pages("/v1/models", "name")

    @operation
    def model(self, name: str) -> Steps[Json]:
        """A model: a summary of its versions, aliases and metrics."""
        return (yield from _json(Call("GET", _path("models", name))))

    @operation
    def delete_model(self, name: str) -> Steps[None]:
        """Removes a model with all its versions."""
        yield Call("DELETE", _path("models", name))

    @stream
    def versions(self, name: str) -> Stream[Json]:
        """All versions of a model, newest first."""
        yield from _pages(_path("models", name, "versions"), "version")

    @operation
    def delete_version(self, name: str, version: Version) -> Steps[None]:
        """Removes one version, unless an alias points at it."""
        yield Call("DELETE", _version(name, version))

    @operation
    def manifest(self, name: str, version: Version) -> Steps[Json]:
        """The manifest of a version: its training, inputs and outputs, and its files with their digests."""
        return (yield from _json(Call("GET", _version(name, version))))

    @operation
    def parameters(self, name: str, version: Version, *, statistics: bool = True) -> Steps[Json]:
        """Each parameter of a version with its shape and, unless `statistics` is false, statistics of its values."""
        query = {} if statistics else {"statistics": "false"}
        return (yield from _json(Call("GET", _version(name, version, "parameters"), query=query)))

    @operation
    def state_dict(
        self, name: str, version: Version, tensor: str | None = None, rows: tuple[int, int] | None = None
    ) -> Steps[Json]:
        """The tensors of a version as nested lists, or just the one that is named; of that with `rows` only those from the first
        number up to the second, which is excluded."""
        query = {"name": tensor} if tensor else {}
        if rows is not None:
            query["rows"] = f"{rows[0]}:{rows[1]}"
        return (yield from _json(Call("GET", _version(name, version, "state_dict"), query=query)))

    @operation
    def state_dict_file(self, name: str, version: Version, path: FilePath) -> Steps[Path]:
        """Saves the tensors of a version as a safetensors file."""
        headers = {"Accept": "application/x-safetensors"}
        return (yield from save(Call("GET", _version(name, version, "state_dict"), headers=headers, live=True), path))

    @operation
    def plot(self, name: str, version: Version, plot: str, format: str = "png") -> Steps[bytes]:  # noqa: A002 - the API's word
        """A plot of a version (data, predictions, residuals, learning_curve, parameters, confusion, roc, precision_recall; its
        manifest lists its `plots`) as `png`, `svg` or `json`."""
        response: httpx.Response = yield Call("GET", _version(name, version, "plots", f"{plot}.{format}"))
        return response.content

    @operation
    def aliases(self, name: str) -> Steps[list[Json]]:
        """The aliases of a model and the versions that they point at."""
        found, query = list[Json](), dict[str, Any]()
        while True:
            page = yield from _json(Call("GET", _path("models", name, "aliases"), query=query))
            found += page["data"]
            if not page["has_more"]:
                return found
            query = {"after": found[-1]["alias"]}

    @operation
    def set_alias(self, name: str, alias: str, version: int, if_match: int | None = None) -> Steps[Json]:
        """Points an alias at a version; with `if_match`, only when its newest entry has that number."""
        headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
        path = _path("models", name, "aliases", alias)
        return (yield from _json(Call("PUT", path, headers=headers, json={"version": version})))

    @operation
    def rollback_alias(self, name: str, alias: str) -> Steps[Json]:
        """Points an alias at its previous version."""
        return (yield from _json(Call("POST", _path("models", name, "aliases", alias, "rollback"))))

    @operation
    def retention(self, name: str) -> Steps[Json]:
        """The retention rule of a model, and the versions that it deletes next."""
        return (yield from _json(Call("GET", _path("models", name, "retention"))))

    @operation
    def set_retention(
        self, name: str, last: int | None = None, days: int | None = None, dry_run: bool = False
    ) -> Steps[Json]:
        """Keeps the last versions of a model and those of the last days; with `dry_run`, only shows what would go."""
        rule = {key: value for key, value in (("last", last), ("days", days)) if value is not None}
        query = {"dry_run": "true"} if dry_run else {}
        return (yield from _json(Call("PUT", _path("models", name, "retention"), query=query, json=rule)))

    @operation
    def delete_retention(self, name: str) -> Steps[None]:
        """Keeps all versions of a model from now on."""
        yield Call("DELETE", _path("models", name, "retention"))

    @operation
    def delete_alias(self, name: str, alias: str) -> Steps[None]:
        """Removes an alias."""
        yield Call("DELETE", _path("models", name, "aliases", alias))

    @operation
    def download_bundle(self, name: str, version: Version, path: FilePath) -> Steps[Path]:
        """Saves a version with everything that belongs to it as one file."""
        return (yield from save(Call("GET", _version(name, version, "bundle"), live=True), path))

    @operation
    def download_export(self, name: str, version: Version, export: str, path: FilePath | None = None) -> Steps[Path]:
        """Saves an export of a version (safetensors, state_dict, torch_export, onnx, huggingface): a file that loads without
        Modelwright. Without `path` it gets the name that the service suggests, in the current folder."""
        address = _version(name, version, "exports", export)
        return (yield from save(Call("GET", address, timeout=_EXPORT_SECONDS, live=True), path))

    @operation
    def upload_bundle(self, name: str, path: FilePath) -> Steps[Json]:
        """Adds a bundle as the model's next version; a version with the same digest is returned as it is."""
        return (yield from _json(_upload("POST", _path("models", name, "versions"), path, "application/zip")))

    @operation
    def signature(self, name: str, version: Version) -> Steps[bytes]:
        """The signature of a version, in the format of OpenSSF model-signing; not verified."""
        response: httpx.Response = yield Call("GET", _version(name, version, "signature"))
        return response.content

    @operation
    def bom(self, name: str, version: Version) -> Steps[Json]:
        """The bill of materials of a version (CycloneDX 1.6): the model, its files, its data and the software that trained it."""
        return (yield from _json(Call("GET", _version(name, version, "bom"))))

    # API keys

    @stream
    def keys(self) -> Stream[Json]:
        """All keys, the oldest first, without their secrets."""
        yield from _pages("/v1/keys", "id")

    @operation
    def create_key(self, name: str, scopes: Sequence[str], expires_in_days: float | None = None) -> Steps[Json]:
        """Creates a key; `key` in the result is the secret, which is returned only here."""
        wanted = {"name": name, "scopes": list(scopes), "expires_in_days": expires_in_days}
        return (yield from _json(Call("POST", "/v1/keys", json=wanted)))

    @operation
    def revoke_key(self, key: str) -> Steps[None]:
        """Revokes a key, by its name or id."""
        yield Call("DELETE", _path("keys", key))

    @stream
    def audit(self) -> Stream[Json]:
        """The audit log from its beginning: changes and refused attempts at changes."""
        yield from _pages("/v1/audit", "id")

    # Predictions and the service itself

    @operation
    def predict(
        self,
        name: str,
        instances: Sequence[Any] | None = None,
        *,
        inputs: Mapping[str, Sequence[Any]] | None = None,
        query: Mapping[str, Any] | None = None,
        version: Version | None = None,
    ) -> Steps[Json]:
        """Predictions for rows (`instances`), for columns (`inputs`), or for a `query` by GET."""
        if sum(given is not None for given in (instances, inputs, query)) != 1:
            raise TypeError("give either instances, inputs or query")
        path = _path("models", name, "predictions") if version is None else _version(name, version, "predictions")
        if query is not None:
            return (yield from _json(Call("GET", path, query=query)))
        body = {"inputs": inputs} if instances is None else {"instances": instances}
        return (yield from _json(Call("POST", path, json=body)))

    @operation
    def ready(self) -> Steps[bool]:
        """Whether the service can be reached and is ready to predict."""
        try:
            yield Call("GET", "/readyz")
        except (Unreachable, ApiError):
            return False
        return True


def _pages(path: str, key: str, query: Mapping[str, Any] | None = None) -> Stream[Json]:
    query = {**(query or {}), "limit": _PAGE}
    while True:
        page = yield from _json(Call("GET", path, query=query))
        for entry in page["data"]:
            yield Item(entry)
        if not page["has_more"]:
            return
        query["after"] = page["data"][-1][key]


def _open_events(job_id: str, last_event_id: str) -> Call:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    return Call("GET", _job(job_id, "events"), headers=headers, live=True)


def _upload(
    method: str, path: str, data: FilePath | bytes, media_type: str | None, query: Mapping[str, Any] | None = None
) -> Call:
    content = data if isinstance(data, bytes) else Path(data)
    if media_type is None:
        media_type = BYTES if isinstance(content, bytes) else MEDIA_TYPES.get(_suffix(content), BYTES)
    return Call(method, path, query=query or {}, headers={"Content-Type": media_type}, content=content)


def _suffix(path: Path) -> str:
    """The suffix of the table, which may be compressed."""
    return (Path(path.stem) if path.suffix.lower() in _PACKED else path).suffix.lower()


def _in_query(value: Any) -> Any:
    """Objects as JSON; a list of words as such, so that a word with a comma is not split."""
    if isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value if len(value) > 1 else [*value, ""]
    return value

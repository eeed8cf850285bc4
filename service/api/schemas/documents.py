"""What requests and answers look like, for the OpenAPI document. Answers have no defaults: every field is always there,
but for those that say otherwise."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from service.workflow.spec import EXAMPLE, TrainingSpec

T = TypeVar("T")
PROBLEM = "application/problem+json"
FORM = "multipart/form-data"


class Document(BaseModel):
    """Something that is answered."""

    model_config = ConfigDict(extra="forbid")


class Problem(Document):
    """An error (RFC 9457): a stable `code`, what is wrong, and for each fault the JSON pointer to it. `request_id` is that
    of the reply's header `Request-Id`."""

    model_config = ConfigDict(json_schema_extra={"example": {
        "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "invalid_spec",
        "detail": "/optimizer/name: unknown optimizer 'sdg'; did you mean 'SGD'?", "request_id": "3f0c9a7be51d4286",
        "errors": [{"pointer": "/optimizer/name", "message": "unknown optimizer 'sdg'; did you mean 'SGD'?"}],
    }})  # fmt: skip

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[dict[str, str]] = []  # only where single faults can be pointed at


class Page(Document, Generic[T]):
    """One page of a list; `?after=` with the last item's id gives the next."""

    data: list[T]
    has_more: bool


class Job(Document):
    """A training job. `spec` is the resolved one: every default filled in."""

    id: str
    status: str
    requested: str | None
    model_name: str
    spec: dict[str, Any]
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempt: int
    progress: dict[str, Any]
    metrics: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None


class Attempt(Document):
    """One attempt at a job. `status` is what the job became when it ended, `cause` why, if it was no success."""

    attempt: int
    started_at: str
    ended_at: str | None
    status: str | None
    cause: dict[str, Any] | None


class Attempts(Document):
    """The attempts at a job, rising."""

    data: list[Attempt]


class Event(Document):
    """Something that happened to a job: `type` is status, metrics or message."""

    id: int
    type: str
    created_at: str
    data: dict[str, Any]


class Plan(Document):
    """What a spec comes to."""

    spec: dict[str, Any]
    parameters: int
    rows: dict[str, int]
    warnings: list[str]


class Reading(Document):
    """How a file is read. `missing` are the words for a missing value, besides an empty cell; `separator` is null where the
    format has none."""

    compression: str | None
    encoding: str
    separator: str | None
    decimal: str
    missing: list[str]
    skip_lines: int
    sheet: str | None
    date_formats: dict[str, str]


class Column(Document):
    """A column of a data set. `distinct` is how many values it has, null if they are too many to be counted; `reason` why it
    has its type; `feature` whether it is learned from where a spec names no features."""

    name: str
    type: str
    missing: int
    distinct: int | None
    examples: list[str]
    reason: str
    feature: bool
    statistics: dict[str, Any]


class Dataset(Document):
    """A version of a data set. `digest` is the SHA-256 of its bytes, `notes` what is worth knowing of how it was read. A
    version from before there were readings has none. Of one that is damaged `error` has a `code` and a `detail`, and the
    rest is null."""

    name: str
    version: int | None
    rows: int | None
    bytes: int | None
    digest: str | None
    media_type: str | None
    created_at: str | None
    reading: Reading | None
    notes: list[str]
    columns: list[Column]
    error: dict[str, Any] | None


class Model(Document):
    """A model, by its latest version; `metrics` and `created_at` are null when that one is damaged, and `error` then has a
    `code` and a `detail`. A damaged alias points at null, and is an `error`, too. `latest` is null while the storage cannot
    be read."""

    name: str
    latest: int | None
    versions: int
    aliases: dict[str, int | None]
    metrics: dict[str, Any] | None
    created_at: str | None
    error: dict[str, Any] | None


class ShownModel(Model):
    """A model; also with what the clients of KServe and TF Serving look for."""

    ready: bool
    model_version_status: list[dict[str, Any]]


class ModelPage(Page[Model]):
    """A list of models; `models` has their names alone."""

    models: list[str]


class Version(Document):
    """A version of a model; what its manifest says is null when that is damaged, and `error` has a `code` and a `detail`."""

    name: str
    version: int
    digest: str | None
    created_at: str | None
    aliases: list[str]
    metrics: dict[str, Any] | None
    job: str | None
    error: dict[str, Any] | None


class Manifest(Version):
    """A version with all of its manifest."""

    model_config = ConfigDict(extra="allow")

    spec: dict[str, Any]
    signature: dict[str, Any]
    files: dict[str, Any]
    environment: dict[str, Any]


class Published(Document):
    """A version that was just taken in."""

    name: str
    version: int
    digest: str
    created_at: str


class Parameters(Document):
    """Every parameter, and what its values are like; `std` is the population's."""

    total: int
    trainable: int
    parameters: list[dict[str, Any]]


class Alias(Document):
    """Where an alias points; `version` is null where it was deleted or is damaged, of which `error` then tells."""

    alias: str
    version: int | None
    entry: int
    created_at: str | None
    error: dict[str, Any] | None


class Key(Document):
    """A key, without what only its holder has. Times are null where there is none. One that is damaged lets nobody in."""

    id: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    damaged: bool


class NewKey(Key):
    """A key that was just made. `key` is what its holder sends; it is told this once."""

    key: str


class AuditLine(Document):
    """An attempt at a change: by whom, when, with which request, how it was answered, and what was changed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {
        "id": "2026-11-23:412", "at": "2026-11-23T10:15:00.000000Z", "who": "ann", "key_id": "5f1c09aa27d3",
        "request_id": "3f0c9a7be51d4286", "method": "PUT", "path": "/v1/models/line/aliases/production", "status": 200,
        "changes": [{"what": "alias.moved", "on": "line/production", "from": 2, "to": 3}],
    }})  # fmt: skip

    id: str
    at: str
    who: str | None
    key_id: str | None
    request_id: str | None
    method: str | None
    path: str | None
    status: int | None
    changes: list[dict[str, Any]]
    left_out: int = 0  # only where attempts before this one, by the same, have no line of their own
    error: dict[str, Any] | None = None  # only of a line that is damaged


class Predictions(Document):
    """One prediction for each instance."""

    model_name: str
    model_version: int
    predictions: list[Any]


# As `model_store/names.py` has them; only there they are checked.
_DEVICE = r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)"
PATTERNS = {
    "name": rf"^(?!{_DEVICE})(?!.*\.\.)[a-z0-9]([a-z0-9._-]{{0,62}}[a-z0-9])?$",
    "alias": r"^(?!latest$)[a-z][a-z0-9_-]{0,62}$",
}
PROBLEM_CONTENT = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"content": PROBLEM_CONTENT, "description": "What is wrong with the request, and what would be right."},
    "5XX": {"content": PROBLEM_CONTENT, "description": "What keeps the service from answering now."},
}

INSTANCES_EXAMPLE = {"instances": [[0.5], [0.9]]}
INSTANCES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "instances": {
            "type": "array",
            "minItems": 1,
            "description": "rows: lists in the order of the inputs, or objects",
        },
        "inputs": {"type": "object", "description": "columns by name"},
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
LARGEST_VERSION = 10**18
ALIAS_EXAMPLE = {"version": 1}
ALIAS_SCHEMA = {
    "type": "object",
    "properties": {"version": {"type": "integer", "minimum": 1, "maximum": LARGEST_VERSION}},
    "required": ["version"],
    "additionalProperties": False,
}
KEY_EXAMPLE = {"name": "scraper", "scopes": ["predict"], "expires_in_days": 90}
KEY_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": PATTERNS["name"]},
        "scopes": {"type": "array", "items": {"enum": ["predict", "train", "admin"]}, "minItems": 1},
        "expires_in_days": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 36500},
    },
    "required": ["name", "scopes"],
    "additionalProperties": False,
}
TABLE_EXAMPLE = "x,y\n0.0,0.6\n0.5,0.8\n1.0,1.0\n"
FILE_EXAMPLES = {
    "text/csv": TABLE_EXAMPLE,
    "application/octet-stream": TABLE_EXAMPLE,
    "application/json": '[{"x": 0.0, "y": 0.6}, {"x": 0.5, "y": 0.8}, {"x": 1.0, "y": 1.0}]',
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "(an Excel workbook, .xlsx)",
    "application/x-ndjson": '{"x": 0.0, "y": 0.6}\n{"x": 0.5, "y": 0.8}\n{"x": 1.0, "y": 1.0}\n',
    "application/vnd.apache.parquet": "(a Parquet file)",
    "application/vnd.apache.arrow.file": "(an Arrow IPC file)",
    "application/vnd.apache.arrow.stream": "(an Arrow IPC stream)",
    "application/zip": "(a file that GET …/versions/{version}/bundle has given)",
}


def json_body(schema: dict[str, Any], example: object, *, required: bool = True) -> dict[str, Any]:
    """A JSON request body for `openapi_extra`."""
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def exactly_one(*names: str) -> list[dict[str, Any]]:
    """For `oneOf`: an object has one of these, and only one."""
    return [{"required": [name]} for name in names]


def spec_body() -> dict[str, Any]:
    """The body of a training: a reference to the spec's schema, and the tutorial's line as its example."""
    return json_body({"$ref": "#/components/schemas/TrainingSpec"}, EXAMPLE)


def file_body(*media_types: str) -> dict[str, Any]:
    """A body of raw bytes."""
    schema = {"type": "string", "format": "binary"}
    content = {media_type: {"schema": schema, "example": FILE_EXAMPLES[media_type]} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


def plain_refusal(description: str) -> dict[int | str, dict[str, Any]]:
    """A 503 in plain text, for `responses`."""
    return {503: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": description}}


def file_answer(description: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    """An answer of raw bytes, for `responses`."""
    schema = {"type": "string", "format": "binary"}
    content = {each: {"schema": {} if each == "application/json" else schema} for each in media_types}
    return {200: {"description": description, "content": content}}


def schemas() -> dict[str, Any]:
    """What no route names for FastAPI to find: the spec with its parts, and the problem."""
    template = "#/components/schemas/{model}"
    schema = TrainingSpec.model_json_schema(ref_template=template)
    parts: dict[str, Any] = schema.pop("$defs", {})
    return parts | {"TrainingSpec": schema, "Problem": Problem.model_json_schema(ref_template=template)}

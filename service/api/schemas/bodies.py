"""Parts of the OpenAPI document that FastAPI does not derive: request bodies, and responses that are files."""

from typing import Any

from service.workflow.spec import EXAMPLE

SWEEP_EXAMPLE = EXAMPLE | {
    "model_name": "line-sweep",
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
    "training": {"epochs": 100},
    "search": {"optimizer.lr": {"log": [0.001, 0.1]}, "loss.name": {"choice": ["L1Loss", "MSELoss"]}},
    "trials": 4,
}
FORM = "multipart/form-data"
# As `model_store/names.py` has them; only there they are checked.
_DEVICE = r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)"
PATTERNS = {
    "name": rf"^(?!{_DEVICE})(?!.*\.\.)[a-z0-9]([a-z0-9._-]{{0,62}}[a-z0-9])?$",
    "alias": r"^(?!latest$)[a-z][a-z0-9_-]{0,62}$",
}
LARGEST_VERSION = 10**18
ALIAS_EXAMPLE = {"version": 1}
ALIAS_SCHEMA = {
    "type": "object",
    "properties": {"version": {"type": "integer", "minimum": 1, "maximum": LARGEST_VERSION}},
    "required": ["version"],
    "additionalProperties": False,
}
MOST_VERSIONS = 1_000_000  # of a retention rule
MOST_DAYS = 36_500
RETENTION_EXAMPLE = {"last": 20, "days": 30}
RETENTION_SCHEMA = {
    "type": "object",
    "properties": {
        "last": {"type": "integer", "minimum": 1, "maximum": MOST_VERSIONS},
        "days": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
    },
    "minProperties": 1,
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
    "application/zip": "(a zip file: a bundle of a version, or images in folders)",
    "application/x-npz": "(a file of NumPy's savez with the arrays x and y)",
    "application/x-npy": "(a file of NumPy's save)",
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


def sweep_body() -> dict[str, Any]:
    """The body of a sweep: the fields of a training spec, and those of the search beside them."""
    schema = {
        "type": "object",
        "allOf": [{"$ref": "#/components/schemas/SweepSettings"}],
        "required": ["model_name", "data", "search"],
        "description": "the fields of TrainingSpec, and beside them those of SweepSettings",
    }
    return json_body(schema, SWEEP_EXAMPLE)


def file_body(*media_types: str) -> dict[str, Any]:
    """A body of raw bytes."""
    schema = {"type": "string", "format": "binary"}
    content = {media_type: {"schema": schema, "example": FILE_EXAMPLES[media_type]} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


def plain_refusal(description: str) -> dict[int | str, dict[str, Any]]:
    """A 503 in plain text, for `responses`."""
    return {503: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": description}}


def file_answer(description: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    """A response of raw bytes, for `responses`."""
    schemas: dict[bool, dict[str, str]] = {True: {"type": "object"}, False: {"type": "string", "format": "binary"}}
    content = {each: {"schema": {} if each == "application/json" else schemas["json" in each]} for each in media_types}
    return {200: {"description": description, "content": content}}

"""Request bodies and parameters of data sets, for the OpenAPI document."""

from typing import Any

from service.api.schemas.bodies import FORM, TABLE_EXAMPLE, file_body, json_body
from service.workflow.data.reading import ReadingOptions

_WORDS = ("type", "enum", "const", "minimum", "maximum", "minLength", "maxLength")


def _parameters() -> dict[str, tuple[str, dict[str, Any]]]:
    """The reading options in the query, each with its description and schema."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, about in ReadingOptions.model_json_schema()["properties"].items():
        shape = next((each for each in about.get("anyOf", ()) if each != {"type": "null"}), about)
        schema = {word: shape[word] for word in _WORDS if word in shape}
        more = ""
        if name == "separator":
            schema, more = {"type": "string"}, "; a tab is also `tab` or `\\t`"
        elif name == "missing":
            schema, more = {"type": "array", "items": {"type": "string"}}, "; given once, separated by commas"
        elif schema["type"] == "object":
            schema, more = {"type": "string"}, ", as the text of a JSON object"
        found[name] = (about["description"] + more, schema)
    return found


PARAMETERS = _parameters()


def table_body(*media_types: str) -> dict[str, Any]:
    """A file with a table, as the body or as a part of a form, and the reading options in the query."""
    body = file_body(*(each for each in media_types if each != FORM))
    schema = {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}}
        | {each: {"type": "string"} for each in PARAMETERS},
        "required": ["file"],
        "additionalProperties": False,
    }
    body["requestBody"]["content"][FORM] = {"schema": schema, "example": {"file": TABLE_EXAMPLE}}
    return body | {
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
            for name, (description, schema) in PARAMETERS.items()
        ]
    }


def change_body() -> dict[str, Any]:
    """The body that changes how a data set is read."""
    options = ReadingOptions.model_json_schema()["properties"]
    types = options.pop("types")
    return json_body(
        {
            "type": "object",
            "properties": {
                "reading": {
                    "type": "object",
                    "properties": {name: _or_null(schema) for name, schema in options.items()},
                    "additionalProperties": False,
                },
                "types": _or_null(types),
            },
            "additionalProperties": False,
        },
        {"reading": {"decimal": "."}, "types": {"y": "number"}},
    )


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, or null to reset an option; also for the entry of a single column."""
    shape = {name: value for name, value in schema.items() if name not in ("default", "title", "propertyNames")}
    if "additionalProperties" in shape:
        shape["additionalProperties"] = {"anyOf": [shape["additionalProperties"], {"type": "null"}]}
    return shape if "anyOf" in shape else {"anyOf": [shape, {"type": "null"}]}

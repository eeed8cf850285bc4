"""The OpenAPI document: FastAPI's, with what it cannot know."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.api import documents

# As `model_store/names.py` has them; only there they are checked.
_DEVICE = r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)"
PATTERNS = {
    "name": rf"^(?!{_DEVICE})(?!.*\.\.)[a-z0-9]([a-z0-9._-]{{0,62}}[a-z0-9])?$",
    "alias": r"^(?!latest$)[a-z][a-z0-9_-]{0,62}$",
}


def openapi(app: FastAPI) -> dict[str, Any]:
    """The document of this app, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        made.setdefault("components", {}).setdefault("schemas", {}).update(documents.schemas())
        for item in made["paths"].values():
            for operation in item.values():
                operation["parameters"] = [
                    _parameter(each) for each in operation.get("parameters", ()) if each["name"].lower() != "accept"
                ]
        app.openapi_schema = made
    return app.openapi_schema


def _parameter(told: dict[str, Any]) -> dict[str, Any]:
    """A parameter as it is sent. One that is left out is not null, and Accept is told by the answers, says OpenAPI."""
    schema = told["schema"]
    if told["in"] == "path" and told["name"] in PATTERNS:
        return {**told, "schema": {**schema, "pattern": PATTERNS[told["name"]]}}
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) == 1:
        return {**told, "schema": {name: value for name, value in schema.items() if name != "anyOf"} | kinds[0]}
    return told

"""The OpenAPI document: FastAPI's, with schemas that no route refers to and the scope that each operation needs."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from service.api.middleware.scopes import RequiredScopes
from service.api.problems import Problem
from service.api.schemas.bodies import PATTERNS
from service.use_cases.sweep_spec import SweepSettings
from service.workflow.spec import TrainingSpec

SCHEME = {"type": "http", "scheme": "bearer", "description": "A key: `modelwright keys create`, or `POST /v1/keys`."}


def describe(app: FastAPI, scopes: RequiredScopes, root_path: str | None, *, keys_on: bool) -> dict[str, Any]:
    """The document; without security requirements if the service has no keys. It names the path behind a proxy, if any."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        parts = made.setdefault("components", {})
        parts.setdefault("schemas", {}).update(_schemas())
        parts["securitySchemes"] = {"key": SCHEME}
        for item in made["paths"].values():
            for operation in item.values():
                operation["parameters"] = [
                    _as_sent(each) for each in operation.get("parameters", ()) if each["name"].lower() != "accept"
                ]
        if root_path is not None:
            made["servers"] = [{"url": root_path}]
        app.openapi_schema = made
    return _secured(app.openapi_schema, scopes) if keys_on else app.openapi_schema


def _as_sent(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter as OpenAPI has it: one that may be left out is not null."""
    schema = parameter["schema"]
    if parameter["in"] == "path" and parameter["name"] in PATTERNS:
        return {**parameter, "schema": {**schema, "pattern": PATTERNS[parameter["name"]]}}
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) == 1:
        return {**parameter, "schema": {name: value for name, value in schema.items() if name != "anyOf"} | kinds[0]}
    return parameter


def _secured(schema: dict[str, Any], scopes: RequiredScopes) -> dict[str, Any]:
    def security(method: str, path: str) -> list[dict[str, list[str]]]:
        scope, _ = scopes.needed(method.upper(), path)  # a parameter in braces is one part of a path like any other
        return [] if scope is None else [{"key": [scope.word]}]

    paths = {
        path: {method: operation | {"security": security(method, path)} for method, operation in item.items()}
        for path, item in schema["paths"].items()
    }
    return schema | {"paths": paths}


def _schemas() -> dict[str, Any]:
    """The schemas that no route names: the specs with their parts, and the problem."""
    template = "#/components/schemas/{model}"
    made: dict[str, Any] = {"Problem": TypeAdapter(Problem).json_schema(ref_template=template)}
    for model in (TrainingSpec, SweepSettings):
        schema = model.model_json_schema(ref_template=template)
        made |= schema.pop("$defs", {})
        made[model.__name__] = schema
    return made

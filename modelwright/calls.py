"""The addresses of resources, and calls whose answer is JSON."""

from typing import TypeAlias
from urllib.parse import quote

import httpx

from modelwright.answers import Json, parse
from modelwright.errors import UnusableName
from modelwright.steps import Call, Steps

Version: TypeAlias = int | str


def path(*parts: Version) -> str:
    """The address of a resource. Raises UnusableName."""
    names = [str(part) for part in parts]
    if {"", ".", ".."} & set(names):
        raise UnusableName
    return "/v1/" + "/".join(quote(name, safe="") for name in names)


def job_path(job_id: str, *parts: str) -> str:
    """The address of a job, or of something that belongs to it."""
    return path("training-jobs", job_id, *parts)


def version_path(name: str, version: Version, *parts: str) -> str:
    """The address of a version of a model, or of something that belongs to it."""
    return path("models", name, "versions", version, *parts)


def json_of(call: Call) -> Steps[Json]:
    """The JSON object with which the call is answered."""
    response: httpx.Response = yield call
    return parse(response.content)

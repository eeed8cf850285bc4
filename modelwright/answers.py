"""Parsing of the service's responses."""

import json
from typing import Any, TypeAlias

import httpx

from modelwright.errors import ApiError, UnexpectedAnswer

Json: TypeAlias = dict[str, Any]


def parse(text: str | bytes) -> Json:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UnexpectedAnswer from error
    if not isinstance(value, dict):
        raise UnexpectedAnswer
    return value


def check(response: httpx.Response) -> None:
    if response.is_success:
        return
    if response.is_redirect:  # following it could take the key to another host
        raise UnexpectedAnswer(
            "The service redirects to another address, which is not followed: give that address itself."
        )
    try:
        problem = parse(response.content)
    except UnexpectedAnswer:
        problem = {}
    detail = problem.get("detail") or problem.get("title") or f"{response.status_code} {response.reason_phrase}"
    wait = response.headers.get("Retry-After", "")
    retry_after = float(wait) if wait.isascii() and wait.isdigit() else None
    raise ApiError(response.status_code, problem.get("code", ""), detail, problem.get("errors") or (), retry_after)

"""Parsing of the service's responses."""

import json
import time
from typing import Any

import httpx

from modelwright.errors import UnexpectedAnswer
from modelwright.json_types import Json, is_list, is_object
from modelwright.problems import problem


def parse(text: str | bytes) -> Json:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UnexpectedAnswer from error
    if not is_object(value):
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
        about = parse(response.content)
    except UnexpectedAnswer:
        about = {}
    detail = str(about.get("detail") or about.get("title") or f"{response.status_code} {response.reason_phrase}")
    raise problem(
        response.status_code,
        str(about.get("code", "")),
        detail,
        _errors(about),
        _retry_after(response.headers.get("Retry-After", "")),
        str(about.get("request_id") or response.headers.get("Request-Id", "")),
    )


def _errors(about: Json) -> list[dict[str, str]]:
    errors: Any = about.get("errors")
    return [each for each in errors if is_object(each)] if is_list(errors) else []


def _retry_after(header: str) -> float | None:
    """The seconds of a header `Retry-After`, which proxies also give as a date."""
    if header.isascii() and header.isdigit():
        return float(header)
    if not header:
        return None
    from email.utils import parsedate_to_datetime  # slow to import, and rarely needed

    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None

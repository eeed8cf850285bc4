"""Responses that are saved as files."""

import re
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import httpx

from modelwright.steps import Call, Read, Steps

FilePath: TypeAlias = str | PathLike[str]

_SUGGESTED = re.compile(r'filename="([\w-][^"/\\]*)"')  # in Content-Disposition


def save(call: Call, path: FilePath | None) -> Steps[Path]:
    """Writes a streamed response to a file atomically; without a path under the name that the response has for it."""
    response: httpx.Response = yield call
    suggested = _SUGGESTED.search(response.headers.get("Content-Disposition", ""))
    target = Path(path or (suggested[1] if suggested else call.path.rpartition("/")[2]))
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as file:
            while chunk := (yield Read()):
                file.write(chunk)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target

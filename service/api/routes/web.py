"""The dashboard: static files, open without a key since they contain nothing of this service's data."""

import re
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

from service.api.routing import PooledRoute, needs
from service.api.web_files import WebFile, read_files

router = APIRouter(tags=["service"], route_class=PooledRoute, include_in_schema=False)

# gzip in an Accept-Encoding, with a weight above 0 if it has one
GZIP = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)")
Accepted = Annotated[str, Header(alias="accept-encoding")]
Known = Annotated[str, Header(alias="if-none-match")]


@router.get("/")
@needs(None)
async def index(accepted: Accepted = "", known: Known = "") -> Response:
    """The page."""
    return _answer("index.html", accepted, known)


@router.get("/web/{file}")
@needs(None)
async def file(file: str, accepted: Accepted = "", known: Known = "") -> Response:
    """A file of the page."""
    return _answer(file, accepted, known)


@router.get("/web/{folder}/{file}")
@needs(None)
async def file_in_folder(folder: str, file: str, accepted: Accepted = "", known: Known = "") -> Response:
    """A file of the page in one of its folders."""
    return _answer(f"{folder}/{file}", accepted, known)


@cache
def _files() -> dict[str, WebFile]:
    return read_files()


def _answer(path: str, accepted: str, known: str) -> Response:
    found = _files().get(path)
    if found is None:
        raise HTTPException(404)
    headers = {"ETag": found.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if found.etag in (each.strip().removeprefix("W/") for each in known.split(",")):
        return Response(None, 304, headers)
    if found.compressed is not None and GZIP.search(accepted.lower()):
        return Response(found.compressed, 200, {**headers, "Content-Encoding": "gzip"}, found.media_type)
    return Response(found.content, 200, headers, found.media_type)

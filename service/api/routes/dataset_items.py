"""Single files of a data set of images or videos."""

import hashlib
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from service.api.bodies import temporary_folder
from service.api.dependencies import IS_HEAD, Service
from service.api.held_file_response import HeldStreamResponse
from service.api.pools import cancel_on_disconnect
from service.api.problems import PROBLEMS
from service.api.ranges import is_known, range_of
from service.api.routing import TrainRoute
from service.api.schemas.bodies import file_answer
from service.use_cases.dataset_items import Found, find_item
from service.use_cases.dataset_items import thumbnail as thumbnail_of
from service.workflow.data.archives.item_index import MEDIA_TYPES

router = APIRouter(prefix="/v1/datasets", tags=["data sets"], responses=PROBLEMS, route_class=TrainRoute)

Item = Annotated[int, Path(ge=0, le=10**9, description="the row, counted from 0")]
Column = Annotated[str | None, Query(max_length=256, description="that has the files; the first one if not given")]
Number = Annotated[int | None, Query(ge=1, description="of the version; the newest one if not given")]
Small = Annotated[bool, Query(description="a small picture, of the rows that `statistics.thumbnails` lists")]
IfNoneMatch = Annotated[str | None, Header(description="the ETag of a file that is known")]
RangeHeader = Annotated[str | None, Header(alias="Range", description="one part of the file, such as `bytes=1000-`")]
_TYPES = tuple(dict.fromkeys(MEDIA_TYPES.values()))
ANSWERS: dict[int | str, dict[str, Any]] = {
    **file_answer("The file as it is in the data set.", *_TYPES),
    206: {
        "description": "The part of the file that `Range` asks for.",
        "content": file_answer("", *_TYPES)[200]["content"],
    },
    304: {"description": "The ETag is that of `If-None-Match`."},
}


@router.get("/{name}/items/{item}", summary="Show a file of a data set", response_class=Response, responses=ANSWERS)
async def item(
    request: Request,
    service: Service,
    name: str,
    item: Item,
    column: Column = None,
    version: Number = None,
    thumbnail: Small = False,
    if_none_match: IfNoneMatch = None,
    wanted: RangeHeader = None,
) -> Response:
    """The image or video in a row, with the media type that its bytes have; or, with `thumbnail=true`, a small picture of it."""
    files, store = service.pools.files, service.store
    found = (
        await files.run(store.datasets.latest, name)
        if version is None
        else await files.run(store.datasets.get, name, version)
    )
    about = f"{found.digest}-{item}{'-small' if thumbnail else ''}-{column or ''}"
    etag = f'"{hashlib.sha256(about.encode()).hexdigest()}"'
    if is_known(",".join(request.headers.getlist("if-none-match")), etag):
        return Response(None, 304, {"ETag": etag})
    if thumbnail:
        content, media_type = await files.run(thumbnail_of, store, found, item, column)
        return Response(content, 200, {"ETag": etag}, media_type=media_type)
    of = await files.run(find_item, store, found, item, column)
    if isinstance(of, Found):
        return _answer(request, of, etag, f"{name}-{item}")
    with temporary_folder(service.temporary) as folder:
        content, media_type = await cancel_on_disconnect(service.cells.read(store, found, item, of, folder))
    return Response(content, 200, {"ETag": etag}, media_type=media_type)


def _answer(request: Request, found: Found, etag: str, name: str) -> Response:
    headers, start, stop, status = {"ETag": etag}, 0, found.size, 200
    if found.has_parts:
        headers["Accept-Ranges"] = "bytes"
        if (part := range_of(request.headers, found.size, etag)) is not None:
            (start, stop), status = part, 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
    headers["Content-Length"] = str(stop - start)
    kind, _, form = found.media_type.partition("/")
    if kind != "image":
        headers["Content-Disposition"] = f'attachment; filename="{name}.{form.removeprefix("x-")}"'
    if request.scope.get(IS_HEAD):
        return Response(None, status, headers, media_type=found.media_type)
    pieces = found.pieces(start, stop)
    return HeldStreamResponse(
        pieces, held=ExitStack(), status_code=status, headers=headers, media_type=found.media_type
    )

"""What a version is and where it comes from: its model card and its lineage."""

from typing import Annotated, cast

from fastapi import APIRouter, Header, Response

from service.access.scopes import Scope
from service.api.accept import choose
from service.api.dependencies import Service, Services
from service.api.problems import PROBLEMS
from service.api.routing import PooledRoute, needs
from service.api.schemas.bodies import file_answer
from service.api.schemas.lineage import Lineage
from service.use_cases.lineage import trace
from service.use_cases.model_card import markdown_card, page_card

router = APIRouter(prefix="/v1/models/{name}/versions", tags=["share"], responses=PROBLEMS, route_class=PooledRoute)

MARKDOWN, HTML = "text/markdown", "text/html"


@router.get(
    "/{version}/card",
    summary="Show the model card",
    response_class=Response,
    responses=file_answer("The card.", MARKDOWN, HTML),
)
@needs(Scope.TRAIN)
async def card(service: Service, name: str, version: str, accept: Annotated[str, Header()] = "*/*") -> Response:
    """In Markdown; with `Accept: text/html` the page."""
    if choose(accept, [MARKDOWN, HTML]) == HTML:
        return await page(service, name, version)
    text = await service.pools.reading.run(_markdown, service, name, version)
    return Response(text, media_type=MARKDOWN)


@router.get(
    "/{version}/card.html",
    summary="Show the model card as a page",
    response_class=Response,
    responses=file_answer("The card.", HTML),
)
@needs(Scope.TRAIN)
async def page(service: Service, name: str, version: str) -> Response:
    """A page that contains everything that it shows, also when it is saved."""
    found = await service.pools.reading.run(service.store.resolve, name, version)
    traced = await service.pools.reading.run(trace, service.store, service.journal, service.exports, found)
    made = await page_card(service.store, service.plots, found, traced)
    return Response(made, media_type=HTML)


@router.get("/{version}/lineage", summary="Show the lineage of a version")
@needs(Scope.TRAIN)
def lineage(service: Service, name: str, version: str) -> Lineage:
    """The data, the job and the versions that it comes from, its exports, and the versions that come from it."""
    found = service.store.resolve(name, version)
    return cast(Lineage, trace(service.store, service.journal, service.exports, found))


def _markdown(service: Services, name: str, version: str) -> str:
    found = service.store.resolve(name, version)
    return markdown_card(found, trace(service.store, service.journal, service.exports, found))

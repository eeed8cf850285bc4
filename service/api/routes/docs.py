"""The OpenAPI document, and Swagger UI as a page that shows it and sends requests. Both are open without a key: they say nothing
about the data of this service, and the page lets a key be entered. Its addresses are relative: it works under any path."""

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

from service.api.json import json_response
from service.api.routing import PooledRoute, needs

router = APIRouter(include_in_schema=False, route_class=PooledRoute)

FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon.png")  # of Swagger UI, in the package fastapi-offline
_FOLDER = StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Modelwright: the HTTP API</title>
<link rel="icon" href="static-offline-docs/favicon.png">
<link rel="stylesheet" href="static-offline-docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="static-offline-docs/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
"""
# A file of its own: the page's policy allows no script inside of it. A key that is entered is kept in memory alone.
_SCRIPT = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""


@router.get("/docs")
@needs(None)
async def page() -> Response:
    """The page."""
    return Response(_PAGE, media_type="text/html")


@router.get("/docs/page.js")
@needs(None)
async def script() -> Response:
    """The script that starts the page."""
    return Response(_SCRIPT, media_type="text/javascript")


@router.get("/openapi.json")
@needs(None)
def document(request: Request) -> Response:
    """The OpenAPI document."""
    return json_response(request.app.openapi())


@needs(None)
async def file(request: Request) -> Response:
    """A file of Swagger UI."""
    return await _FOLDER.get_response(request.url.path.rpartition("/")[2], request.scope)


for _name in FILES:
    router.add_api_route(f"/static-offline-docs/{_name}", file)

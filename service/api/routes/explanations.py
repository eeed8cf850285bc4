"""Explanations of predictions: what each input adds to an answer."""

import asyncio
import time
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Header

from service.api.bodies import read_json
from service.api.dependencies import Service, Services
from service.api.problems import PROBLEMS
from service.api.routing import PredictRoute
from service.api.schemas.explanation import Explanations, explanation_body
from service.model_reference import ModelReference
from service.serving.errors import DeadlineExceeded
from service.use_cases.explain import explain as explain_answers

router = APIRouter(prefix="/v1/models", tags=["predictions"], responses=PROBLEMS, route_class=PredictRoute)

BODY = explanation_body()
Body = Annotated[Any, Depends(read_json)]
RequestTimeout = Annotated[
    float | None, Header(ge=0, description="the timeout in seconds, after which the response is 504")
]


@router.post("/{name}:explain", summary="Explain predictions", openapi_extra=BODY)
async def explain(service: Service, name: str, body: Body, request_timeout: RequestTimeout = None) -> Explanations:
    """What each input adds to the answers of the version that predicts: at most 100 rows."""
    return await _explained(service, ModelReference(name, None), body, request_timeout)


@router.post("/{name}/versions/{version}:explain", summary="Explain predictions of one version", openapi_extra=BODY)
async def explain_with(
    service: Service, name: str, version: str, body: Body, request_timeout: RequestTimeout = None
) -> Explanations:
    """The same by a version: a number, an alias, or `latest`."""
    return await _explained(service, ModelReference(name, version), body, request_timeout)


async def _explained(service: Services, model: ModelReference, body: Any, seconds: float | None) -> Explanations:
    deadline = None if seconds is None else time.perf_counter() + seconds
    pool, parts = service.pools.explaining, (service.store, service.warm, service.signatures)
    with service.bodies.share() as share:
        try:
            async with asyncio.timeout(seconds):
                found = await pool.run(explain_answers, *parts, model, body, share, deadline)
        except TimeoutError:
            raise DeadlineExceeded from None
    return cast(Explanations, found)

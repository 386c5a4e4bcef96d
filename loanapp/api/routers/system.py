"""Is it alive, does a model serve, what is counted, what is the contract."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from loanapp.api.dependencies import AnsweringDep, ContextDep, Json, ServiceDep
from loanapp.api.metrics import CONTENT_TYPE_LATEST
from loanapp.api.schemas import Ready
from loanapp.core.answers import Health
from loanapp.core.errors import NoModel, message

router = APIRouter(tags=["system"])


@router.get("/health", response_model=Health)
async def health(context: ContextDep, answering: AnsweringDep) -> Response:
    """Say whether a model serves and which; 200 as long as the server lives."""
    state = await context.probe(context.service.health)
    return answering(Health, state, headers={"Cache-Control": "no-store"})


@router.get("/ready", response_model=Ready)
async def ready(context: ContextDep) -> Response:
    """Say 200 once a model serves, 503 until then: for load balancers and orchestrators."""
    state = await context.probe(context.service.health)
    if not state.model_available or context.stopping.is_set():
        raise NoModel(message("No model serves yet: train one first."))
    return JSONResponse({"status": "ready", "model_version": state.model_version})


@router.get("/schema", response_model=Json)
def schema(service: ServiceDep) -> Response:
    """Give the contract in force, as a Table Schema document."""
    return JSONResponse(dict(service.schema().document))


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(context: ContextDep) -> Response:
    """Give the metrics of this process in Prometheus's text format."""
    return Response(context.metrics.expose(), media_type=CONTENT_TYPE_LATEST)

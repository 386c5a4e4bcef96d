"""Which versions there are, which one serves, and since when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from loanapp.api.dependencies import AnsweringDep, CallerDep, ServiceDep
from loanapp.api.schemas import Decision, Moment
from loanapp.core.answers import HistoryEntry, ModelDetails, ModelVersion

router = APIRouter(tags=["models"])

Version = Annotated[str, Path(max_length=30, description="A version's number.", examples=["3"])]


@router.get("/models", response_model=list[ModelVersion])
def models(service: ServiceDep, answering: AnsweringDep) -> Response:
    """List the registered versions, newest first."""
    return answering(list[ModelVersion], list(service.models()))


@router.post("/models/rollback", response_model=ModelVersion)
def rollback(
    service: ServiceDep,
    answering: AnsweringDep,
    caller: CallerDep,
    decision: Decision | None = None,
) -> Response:
    """Make the version that served before serve again.

    A second rollback goes further back; to go forward again, promote a version.
    """
    decision = decision or Decision()
    author = decision.author or caller.name
    model = service.rollback(author=author, reason=decision.reason)
    return answering(ModelVersion, model)


@router.get("/models/{version}", response_model=ModelDetails)
def model(version: Version, service: ServiceDep, answering: AnsweringDep) -> Response:
    """Show one version: its metrics, its training curve, its errors, its training data."""
    return answering(ModelDetails, service.model(version))


@router.post("/models/{version}/promote", response_model=ModelVersion)
def promote(
    version: Version,
    service: ServiceDep,
    answering: AnsweringDep,
    caller: CallerDep,
    decision: Decision | None = None,
) -> Response:
    """Make a version serve, here and in every process that shares the store."""
    decision = decision or Decision()
    author = decision.author or caller.name
    model = service.promote(version, author=author, reason=decision.reason)
    return answering(ModelVersion, model)


At = Annotated[
    Moment | None,
    Query(description="Only the change that made the model of this moment live. Default: all."),
]


@router.get("/history", response_model=list[HistoryEntry])
def history(service: ServiceDep, answering: AnsweringDep, at: At = None) -> Response:
    """List every change of the model that serves, newest first."""
    if at is None:
        return answering(list[HistoryEntry], list(service.history()))
    entry = service.live_at(at)
    return answering(list[HistoryEntry], [entry] if entry else [])

"""The REST API over one service: at the root for ``loanapp api``, under /api beside the pages."""

from __future__ import annotations

import threading
from typing import Any

from fastapi import FastAPI
from starlette.types import Lifespan

from loanapp import __version__
from loanapp.api import documentation, errors, openapi, tracing
from loanapp.api.access import Access
from loanapp.api.dependencies import Context
from loanapp.api.metrics import Metrics
from loanapp.api.middleware import BodyLimit, Observed
from loanapp.api.routers import models, prediction, system, training
from loanapp.core.service import Service
from loanapp.core.settings import Settings
from loanapp.web import headers

UPLOADS = frozenset({"/train", "/predict", "/inspect"})


def create_app(
    service: Service,
    settings: Settings,
    *,
    stopping: threading.Event | None = None,
    lifespan: Lifespan[FastAPI] | None = None,
) -> FastAPI:
    """Make the API.

    Parameters
    ----------
    service
        What it answers with; whoever made it closes it.
    settings
        ``max_upload_mb``, ``language``, who may do what.
    stopping
        Set by whoever runs the server once it is to stop: waits and event streams then end.
    lifespan
        What to do around the serving.
    """
    app = FastAPI(
        title="Loanapp",
        version=__version__,
        summary="Predict the amount of a loan from a client file, and look after the model.",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        responses=openapi.PROBLEMS,
    )
    metrics = Metrics(service)
    app.state.context = Context(service, settings, metrics, stopping or threading.Event())
    app.routes.append(prediction.FewClients())
    for router in (system.router, training.router, prediction.router, models.router):
        app.include_router(router)
    documentation.install(app)
    errors.install(app)
    app.add_middleware(BodyLimit, uploads=UPLOADS, max_upload_mb=settings.max_upload_mb)
    app.add_middleware(Access, settings=settings)
    app.add_middleware(headers.SecurityHeaders, headers=headers.API)
    app.add_middleware(Observed, metrics=metrics)
    tracing.install(app)
    document = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi.complete(
                document(), service.schema(), guarded=bool(settings.api_tokens)
            )
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
    return app

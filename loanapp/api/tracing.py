"""Traces by OpenTelemetry, where its standard ``OTEL_*`` variables ask for them.

Nothing of OpenTelemetry is imported otherwise. A span names the route, never what a client made
up; a caller's own trace goes on here (``traceparent``), and the log line of a request names it.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loanapp import __version__
from loanapp.api.metrics import METHODS

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROBES = frozenset({"/health", "/ready", "/metrics"})
FLUSH_MS = 2_000

logger = logging.getLogger("loanapp.api")


def install(app: FastAPI) -> None:
    """Trace an application's requests if the environment says where traces go."""
    if not _is_wanted():
        return
    try:
        app.add_middleware(Traced, provider=_provider())
    except ImportError:
        logger.warning("no traces: OpenTelemetry's exporter is missing, install loanapp[otel]")


def flush() -> None:
    """Send what has not been sent: a server ends by a signal, which no ``atexit`` sees."""
    if _provider.cache_info().currsize:
        _provider().force_flush(FLUSH_MS)


def _is_wanted() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "")
    asked = exporter in ("otlp", "console") or any(os.environ.get(name) for name in ENDPOINTS)
    return asked and exporter != "none"


@cache
def _provider() -> TracerProvider:
    """Make what collects and sends the spans; it reads the other variables itself."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

    known = {SERVICE_VERSION: __version__}
    if "OTEL_SERVICE_NAME" not in os.environ:
        known[SERVICE_NAME] = "loanapp"
    exporter: SpanExporter
    if os.environ.get("OTEL_TRACES_EXPORTER") == "console":
        exporter = ConsoleSpanExporter()
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    provider = TracerProvider(resource=Resource.create(known))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Traced:
    """Makes one span of each request, its answer's last byte included.

    Parameters
    ----------
    app
        The application around which this stands.
    provider
        What the spans are given to.
    """

    def __init__(self, app: ASGIApp, provider: TracerProvider) -> None:
        self.app = app
        self._tracer = provider.get_tracer("loanapp", __version__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path in PROBES:
            await self.app(scope, receive, send)
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, format_trace_id

        carrier = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        with self._tracer.start_as_current_span(
            _method(scope), context=extract(carrier), kind=SpanKind.SERVER
        ) as span:
            trace_id = format_trace_id(span.get_span_context().trace_id)
            scope.setdefault("state", {})["trace_id"] = trace_id
            status = 500

            async def watched(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await self.app(scope, receive, watched)
            finally:
                _describe(span, scope, status)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in METHODS else "_OTHER"


def _describe(span: Any, scope: Scope, status: int) -> None:
    """Say what the request was, in OpenTelemetry's own names."""
    from opentelemetry.trace import StatusCode

    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.update_name(f"{_method(scope)} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.request.method", _method(scope))
    span.set_attribute("http.response.status_code", status)
    span.set_attribute("url.scheme", scope.get("scheme", "http"))
    span.set_attribute("loanapp.request_id", scope["state"].get("request_id", ""))
    if status >= 500:
        span.set_status(StatusCode.ERROR)

"""Around every request: its id, one line in the log, its metrics, and the limit of its body."""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
import uuid
from collections.abc import Set as AbstractSet
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loanapp.api.errors import MEDIA_TYPE, BodyTooLarge
from loanapp.api.metrics import Metrics

logger = logging.getLogger("loanapp.api")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SMALL_BODY_MB = 0.1
MEGABYTE = 1_000_000
CLIENT_LEFT = 499


class Observed:
    """Gives each request an id, logs it in one line, counts it, and keeps bugs from leaking.

    A line never holds a body, a query or the message of an exception: they may hold what a
    client sent. Exceptions are logged by their type and where they come from.

    Parameters
    ----------
    app
        The application around which this stands.
    metrics
        What counts the requests.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        try:
            await self.app(scope, receive, exchange.send)
        except ClientDisconnect:
            exchange.status = CLIENT_LEFT
        except Exception as error:
            await exchange.fail(error, receive)
        finally:
            self._record(exchange)

    def _record(self, exchange: _Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        self.metrics.observe(exchange.method, exchange.route, exchange.status, seconds)
        facts = {
            "method": exchange.method,
            "route": exchange.route,
            "status": exchange.status,
            "ms": round(seconds * 1000, 1),
            "request_id": exchange.request_id,
        }
        if "trace_id" in exchange.scope["state"]:
            facts["trace_id"] = exchange.scope["state"]["trace_id"]
        logger.info("request", extra=facts)


class _Exchange:
    """One request and what has been answered of it so far."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self._send = scope, send
        self.started = time.perf_counter()
        self.method = scope["method"]
        self.status = 500
        self.answering = False
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = self.request_id

    @property
    def route(self) -> str:
        """The route's pattern: few values, and none that a client makes up."""
        return str(getattr(self.scope.get("route"), "path", "unmatched"))

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on, with the id in its headers."""
        if message["type"] == "http.response.start":
            self.answering, self.status = True, message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.request_id
        await self._send(message)

    async def fail(self, error: Exception, receive: Receive) -> None:
        """Log a bug; answer it where nothing has been answered, else break the answer off."""
        frames = "".join(traceback.format_tb(error.__traceback__))
        facts = {"request_id": self.request_id, "error": type(error).__name__, "where": frames}
        logger.error("unexpected error", extra=facts)
        if self.answering:
            self.status = 500
            raise ConnectionAbortedError("the answer was broken off") from None
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        document = {
            "type": "about:blank",
            "title": status.phrase,
            "status": int(status),
            "instance": self.scope["path"],
            "request_id": self.request_id,
        }
        response = Response(json.dumps(document), int(status), media_type=MEDIA_TYPE)
        await response(self.scope, receive, self.send)


class BodyLimit:
    """Counts a body's bytes as they arrive and stops at the limit, whatever the headers say.

    Parameters
    ----------
    app
        The application around which this stands.
    uploads
        Paths that take files; all others take a small body.
    max_upload_mb
        The limit of a file, in MB (1,000,000 bytes).
    """

    def __init__(self, app: ASGIApp, uploads: AbstractSet[str], max_upload_mb: float) -> None:
        self.app, self.uploads, self.max_upload_mb = app, uploads, max_upload_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        limit_mb = self.max_upload_mb if path in self.uploads else SMALL_BODY_MB
        await self.app(scope, _counted(scope, receive, limit_mb), send)


def _counted(scope: Scope, receive: Receive, limit_mb: float) -> Receive:
    """Wrap `receive`: it raises once the declared or the arrived bytes are beyond the limit."""
    limit = int(limit_mb * MEGABYTE)
    declared = Headers(scope=scope).get("content-length", "")
    too_long = declared.isdecimal() and int(declared[:20]) > limit
    arrived = 0

    async def counted() -> Message:
        nonlocal arrived
        if too_long:
            raise BodyTooLarge(limit_mb)
        part = await receive()
        arrived += len(part.get("body", b""))
        if arrived > limit:
            raise BodyTooLarge(limit_mb)
        return part

    return counted

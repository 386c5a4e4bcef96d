"""What listens: the pages with the API at /api in one process, or the API alone."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.resources import as_file, files
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from loanapp.api import tracing
from loanapp.api.app import create_app
from loanapp.api.metrics import shared_by_workers
from loanapp.core.errors import LoanappError, message
from loanapp.core.logs import configure_logging
from loanapp.core.service import Service
from loanapp.core.settings import Settings
from loanapp.serving import DRAIN_S, Server, Workers
from loanapp.web.headers import PAGES, SecurityHeaders
from loanapp.web.protocol import TimedConfig, Times

KEEP_ALIVE_S = 20
BACKLOG = 2048

logger = logging.getLogger("loanapp.server")


class CannotListen(LoanappError):
    """The address is taken, or is not one of this machine's."""


def create_api(settings: Settings | None = None) -> FastAPI:
    """Make the API alone, with a service of its own: one for each worker process."""
    settings = settings or Settings()
    _log_to(settings, "api")
    service, stopping = Service(settings), threading.Event()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with _serving(service, stopping):
            yield

    return create_app(service, settings, stopping=stopping, lifespan=lifespan)


def create_server(settings: Settings | None = None) -> Starlette:
    """Make the pages with the API at /api: one process, one service, one model in memory.

    The API stands beside Streamlit's application, not in it: Streamlit's session and compression
    have no part in its answers. It must run in one process, since Streamlit keeps its sessions
    in memory. Where the settings name an API for the pages, there is neither API nor service here.
    """
    settings = settings or Settings()
    pages = _pages(settings)
    _log_to(settings, "ui")  # after Streamlit, which gives the server's loggers handlers of its own
    guarded = Mount("/", _guarded(pages, settings))
    if settings.api_url:
        nothing = Mount("/api", Starlette())
        return Starlette(routes=[nothing, guarded], lifespan=pages.lifespan())
    service, stopping = Service(settings), threading.Event()
    api = create_app(service, settings, stopping=stopping)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        from loanapp.ui.backend import set_local_service

        set_local_service(service)
        with _serving(service, stopping):
            async with pages.lifespan()(app):
                yield
        set_local_service(None)

    return Starlette(routes=[Mount("/api", api), guarded], lifespan=lifespan)


def run(
    app: Callable[..., Any] | str,
    host: str,
    port: int,
    *,
    settings: Settings | None = None,
    workers: int = 1,
    factory: bool = False,
) -> None:
    """Serve until told to stop; then finish what is being answered, for at most 25 s.

    Parameters
    ----------
    app
        An ASGI application; with several workers the import path of what makes one.
    host, port
        Where to listen.
    settings
        How long a client may take to send a request.
    workers
        How many processes answer.
    factory
        Whether `app` makes the application.

    Raises
    ------
    CannotListen
        The address cannot be had.
    """
    _allow_many_connections()
    config = TimedConfig(
        app,
        times=Times.of(settings) if settings else Times(),
        factory=factory,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    with listen(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        if workers > 1:
            with shared_by_workers():
                Workers(config, listener).run()
        else:
            Server(config).run(sockets=[listener])


def _allow_many_connections() -> None:
    """Open as many files as the system lets one: half-sent requests must not use them up."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(host: str, port: int) -> socket.socket:
    """Take an address. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotListen(
            message(
                "Cannot listen on {host}:{port}: {reason}.",
                host=host,
                port=str(port),
                reason=error.strerror or str(error),
            )
        ) from error
    return listener


def _pages(settings: Settings) -> Any:
    """Make Streamlit's application. Importing it takes a second: only the pages need it."""
    import streamlit
    from streamlit import config

    from loanapp.ui.configuration import configure_streamlit

    with as_file(files("loanapp.ui").joinpath("app.py")) as script:
        pages = streamlit.App(script.resolve())
    configure_streamlit()
    config.set_option("server.maxUploadSize", max(1, round(settings.max_upload_mb)))
    return pages


def _guarded(pages: Any, settings: Settings) -> SecurityHeaders:
    """Put before the pages what the API has of its own."""
    from loanapp.ui.access import asks
    from loanapp.ui.gate import Gate

    return SecurityHeaders(Gate(pages, settings, asks), PAGES)


@contextlib.contextmanager
def _serving(service: Service, stopping: threading.Event) -> Iterator[None]:
    """Load the model beside the start; tell those who wait when a signal ends the serving."""
    threading.Thread(target=service.health, daemon=True, name="first-look").start()
    restore = _on_signals(stopping.set)
    try:
        yield
    finally:
        stopping.set()
        restore()
        service.close()
        tracing.flush()


def _on_signals(call: Callable[[], None]) -> Callable[[], None]:
    """Make a call before what the server itself does when it is told to stop.

    Waits and event streams must end before the server counts the open connections, and it tells
    its application only after them.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: Any) -> None:
        call()
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in before:
        signal.signal(number, handle)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def _log_to(settings: Settings, program: str) -> None:
    """Send the server's own lines where the product's go."""
    configure_logging(settings, program)
    for name in ("uvicorn", "uvicorn.error"):
        lines = logging.getLogger(name)
        lines.handlers = list(logging.getLogger("loanapp").handlers)
        lines.propagate = False
        lines.setLevel(logging.WARNING)

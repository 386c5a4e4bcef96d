"""How the server ends, and how several of them share a port.

Nothing new is accepted first; then whatever was accepted is answered; then the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

DRAIN_S = 24
LAST_REQUEST_S = 1.0
LOOK_EVERY_S = 0.02
LOOK_AFTER_WORKERS_S = 0.2
CLOSE = (b"connection", b"close")

logger = logging.getLogger("loanapp.server")


class Server(uvicorn.Server):
    """Closes its listener first, and its idle connections only a second later.

    uvicorn closes an idle connection at once, and a request that is just on its way there is lost
    without an answer; so is one on a connection that only the system has accepted yet. Here both
    are answered, with ``Connection: close``.

    Parameters
    ----------
    config
        What to serve, and how.
    started
        Called once it serves.
    """

    def __init__(self, config: uvicorn.Config, started: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._tell_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so. What is loaded by now stays: it is no longer looked through."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.enable()
        if self._tell_started:
            self._tell_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: the listener, then the connections as they fall silent, then the application."""
        await self._stop_listening(sockets or [])
        self.server_state.default_headers.append(CLOSE)
        for connection in list(self.server_state.connections):
            if _is_answering(connection):
                connection.shutdown()
        deadline = time.monotonic() + LAST_REQUEST_S
        while self.server_state.connections and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_EVERY_S)
        await super().shutdown(sockets)

    async def _stop_listening(self, listeners: Sequence[socket.socket]) -> None:
        """Close the listener, and take over what waits there: closing would break it off."""
        copies = [listener.dup() for listener in listeners]
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()
        await asyncio.sleep(0)
        for copy in copies:
            waiting = _accept_all(copy)
            copy.close()
            for connection in waiting:
                await self._serve_on(connection)

    async def _serve_on(self, connection: socket.socket) -> None:
        protocol: Any = self.config.http_protocol_class

        def make() -> asyncio.Protocol:
            made: asyncio.Protocol = protocol(
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(make, connection)


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    listener.setblocking(False)
    waiting = []
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            waiting.append(connection)
    return waiting


def _is_answering(connection: Any) -> bool:
    """Tell whether an HTTP connection has a request under way; a websocket never has."""
    cycle = getattr(connection, "cycle", None)
    return cycle is not None and not cycle.response_complete


class Workers:
    """Several processes on one listener; one that ends is replaced, and none outlives this one.

    Parameters
    ----------
    config
        Names the application by its import path, and how many processes answer.
    listener
        What they all accept from.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._config, self._listener = config, listener
        self._workers: dict[BaseProcess, Event] = {}
        self._stopping, self._failed = False, False

    def run(self) -> None:
        """Serve until a signal comes; ends the process with a code where no worker can start."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        while not self._stopping:
            while len(self._workers) < self._config.workers:
                self._start()
            wait([worker.sentinel for worker in self._workers], LOOK_AFTER_WORKERS_S)
            self._bury()
        # The last process to close the listener answers what waits there: that is to be a worker.
        self._listener.close()
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.join()
        if self._failed:
            sys.exit(STARTUP_FAILURE)

    def _on_signal(self, *_: object) -> None:
        self._stopping = True

    def _start(self) -> None:
        # A fresh interpreter: a fork would take threads and locks along.
        context = multiprocessing.get_context("spawn")
        serves = context.Event()
        worker = context.Process(target=_work, args=(self._config, self._listener, serves))
        worker.start()
        self._workers[worker] = serves

    def _bury(self) -> None:
        for worker in [worker for worker in self._workers if not worker.is_alive()]:
            serves = self._workers.pop(worker)
            if self._stopping:
                continue
            logger.warning("worker ended", extra={"code": worker.exitcode})
            if not serves.is_set() and worker.exitcode != -signal.SIGKILL:
                self._stopping = self._failed = True


def _work(config: uvicorn.Config, listener: socket.socket, serves: Event) -> None:
    gc.disable()  # until it has started
    threading.Thread(target=_end_with_parent, daemon=True, name="end-with-parent").start()
    with contextlib.suppress(KeyboardInterrupt):
        Server(config, serves.set).run(sockets=[listener])


def _end_with_parent() -> None:
    """End as a signal would once the parent is gone: its successor needs the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

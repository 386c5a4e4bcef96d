"""What the routes are given: the service, the reader's language, how to answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from loanapp.api.answering import Answering
from loanapp.api.errors import answering_of
from loanapp.api.metrics import Metrics
from loanapp.core.access import Identity
from loanapp.core.service import Service
from loanapp.core.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

PROBES_AT_ONCE = 4


@dataclass(frozen=True)
class Context:
    """What one application is made of.

    Parameters
    ----------
    service, settings
        The library and its settings.
    metrics
        What is counted.
    stopping
        Set when the server has been told to stop: whoever waits for a training lets go.
    files
        How many files are read and scored at once: they wait for each other, and nothing
        else waits for them.
    probes
        Threads kept free for ``/health`` and ``/ready``, however busy the others are.
    """

    service: Service
    settings: Settings
    metrics: Metrics
    stopping: threading.Event
    files: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(max(2, os.cpu_count() or 2))
    )
    probes: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(PROBES_AT_ONCE)
    )

    async def work(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read, score or check a file in a worker thread."""
        return await _in_thread(call, self.files, *args, **kwargs)

    async def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask something short in a worker thread."""
        return await _in_thread(call, None, *args, **kwargs)

    async def probe(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask what must answer at once."""
        return await _in_thread(call, self.probes, *args, **kwargs)


async def _in_thread(
    call: Callable[P, T],
    limiter: anyio.CapacityLimiter | None,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    return await anyio.to_thread.run_sync(lambda: call(*args, **kwargs), limiter=limiter)


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def _service(request: Request) -> Service:
    return (await _context(request)).service


async def _caller(request: Request) -> Identity:
    caller: Identity = request.state.caller
    return caller


async def _answering(request: Request) -> Answering:
    return answering_of(request)


ContextDep = Annotated[Context, Depends(_context)]
ServiceDep = Annotated[Service, Depends(_service)]
CallerDep = Annotated[Identity, Depends(_caller)]
AnsweringDep = Annotated[Answering, Depends(_answering)]
Json = dict[str, Any]

"""Watching a training without holding a thread or the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from fastapi import Request

from loanapp.api.dependencies import Context
from loanapp.core.answers import Job

LOOK_EVERY_S = 0.25


async def follow(context: Context, job: Job) -> AsyncIterator[Job]:
    """Yield the training each time it has moved on, until it has ended or the server stops."""
    yield job
    while job.active and not context.stopping.is_set():
        await anyio.sleep(LOOK_EVERY_S)
        before, job = job, await context.ask(context.service.job, job.id)
        if job != before:
            yield job


async def wait(context: Context, job: Job, request: Request) -> Job:
    """Give the training as it has ended; as it stands where nobody waits or the server stops."""
    while job.active and not context.stopping.is_set() and not await request.is_disconnected():
        await anyio.sleep(LOOK_EVERY_S)
        job = await context.ask(context.service.job, job.id)
    return job

"""Train: the file comes in, the training runs in its own process, its state is a job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import ValidationError

from loanapp.api.answering import Answering
from loanapp.api.dependencies import AnsweringDep, CallerDep, Context, ContextDep, ServiceDep
from loanapp.api.errors import TrainingEnded
from loanapp.api.following import follow, wait
from loanapp.api.schemas import TrainingQuery
from loanapp.api.uploads import FileDep
from loanapp.core.answers import Job, TrainingOptions, TrainingResult
from loanapp.core.errors import message
from loanapp.core.permission import check_options

router = APIRouter(tags=["training"])

Prefer = Annotated[
    str, Header(description="`respond-async`: answer 202 at once, with the job to follow.")
]
JobId = Annotated[str, Path(max_length=100, description="The training, as `/jobs` lists it.")]


def _options(
    query: Annotated[TrainingQuery, Query()],
    upload: FileDep,
    context: ContextDep,
    caller: CallerDep,
) -> TrainingOptions:
    """Put the choices together: the form's fields go before the query's."""
    given = {k: v for k, v in upload.fields.items() if v and k in TrainingQuery.model_fields}
    try:
        merged = TrainingQuery(**{**query.model_dump(exclude_unset=True), **given})
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from error
    options = TrainingOptions(**merged.model_dump())
    check_options(caller, options, context.settings.promotion)
    return replace(options, author=options.author or caller.name)


OptionsDep = Annotated[TrainingOptions, Depends(_options)]


@router.post(
    "/train",
    response_model=TrainingResult,
    responses={202: {"model": Job, "description": "The training goes on: follow the job."}},
)
async def train(
    request: Request,
    upload: FileDep,
    options: OptionsDep,
    context: ContextDep,
    answering: AnsweringDep,
    prefer: Prefer = "",
) -> Response:
    """Train a model on a client file that holds the target, and answer once it has ended.

    The training runs in its own process. It goes on when the caller hangs up before the answer;
    `/jobs` still shows it. With `Prefer: respond-async`, or when the server is stopped meanwhile,
    the answer is 202 with the job in `Location`.
    """
    job = await context.work(
        context.service.start_training, upload.file, options, file_name=upload.name
    )
    at_once = "respond-async" in prefer.lower()
    if not at_once:
        job = await wait(context, job, request)
    if at_once or job.active:
        return _accepted(request, answering, job, at_once)
    if job.result is None:
        what = job.reason or message("The training was stopped before its end.")
        raise TrainingEnded(what, job.id, job.state)
    return answering(TrainingResult, job.result)


def _accepted(request: Request, answering: Answering, job: Job, asked: bool) -> Response:
    location = request.scope.get("root_path", "") + f"/jobs/{job.id}"
    preference = {"Preference-Applied": "respond-async"} if asked else {}
    return answering(Job, job, status=202, headers={"Location": location, **preference})


@router.get("/jobs", response_model=list[Job])
def jobs(service: ServiceDep, answering: AnsweringDep) -> Response:
    """List the trainings, newest first."""
    return answering(list[Job], list(service.jobs()))


async def _job(job_id: JobId, context: ContextDep) -> Job:
    return await context.ask(context.service.job, job_id)


JobDep = Annotated[Job, Depends(_job)]


@router.get("/jobs/{job_id}", response_model=Job)
async def job(job: JobDep, answering: AnsweringDep) -> Response:
    """Show one training as it stands."""
    return answering(Job, job)


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def events(
    job: JobDep, context: ContextDep, answering: AnsweringDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream a training as server-sent events `job`, each the whole job, until it has ended."""
    async for event in _events(context, job, answering):
        yield event


async def _events(
    context: Context, job: Job, answering: Answering
) -> AsyncIterator[ServerSentEvent]:
    async for state in follow(context, job):
        yield ServerSentEvent(event="job", raw_data=answering.json(Job, state).decode())


@router.delete("/jobs/{job_id}", response_model=Job)
def cancel(job_id: JobId, service: ServiceDep, answering: AnsweringDep) -> Response:
    """Stop a training, within two seconds and without a trace.

    One that has ended, or is already about to go live, stays as it is: the answer says.
    """
    return answering(Job, service.cancel(job_id))

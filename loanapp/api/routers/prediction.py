"""Predict: a file or a few clients come in, their amounts go out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import Headers
from starlette.routing import Match, Route
from starlette.types import Scope

from loanapp.api import predictions
from loanapp.api.answering import Answering
from loanapp.api.dependencies import AnsweringDep, Context, ContextDep
from loanapp.api.errors import answering_of
from loanapp.api.schemas import Predictions
from loanapp.api.uploads import JSON, ClientsDep, FileDep, Records, Upload, records_of
from loanapp.core.answers import Inspection, Prediction
from loanapp.core.prediction import Passing, together

router = APIRouter(tags=["prediction"])

ROWS_AT_ONCE = 20_000
FEW = 16

SkipInvalid = Annotated[
    bool,
    Query(description="Score the good rows of a file and return the others with their reasons."),
]
Interval = Annotated[
    bool, Query(description="Add the bounds of the 90 % interval and the expected amount.")
]
Excel = Annotated[
    bool, Query(description="CSV as a French Excel opens it: semicolons and decimal commas.")
]
Purpose = Annotated[
    Literal["train", "predict"], Query(description="What the file is for: does it need a target?")
]
Accept = Annotated[str, Header(include_in_schema=False)]


@router.post(
    "/predict",
    response_model=Predictions,
    responses={
        200: {
            "description": "The amounts, in the order of the file's data rows.",
            "content": {predictions.CSV: {}, predictions.ARROW: {}},
        }
    },
)
async def predict(
    clients: ClientsDep,
    context: ContextDep,
    answering: AnsweringDep,
    skip_invalid: SkipInvalid = False,
    interval: Interval = False,
    excel: Excel = False,
    accept: Accept = "",
) -> Response:
    """Predict the amount of each client of a file, or of a JSON list.

    `Accept` chooses the answer: JSON, the file itself with the amounts added (`text/csv`), or
    an Arrow stream. A file with problems is refused with all of them; `skip_invalid` scores the
    rows that have none.
    """
    wanted = _Wanted(predictions.negotiate(accept), interval, excel, answering)
    if isinstance(clients, Upload):
        return await context.work(_score_file, context, clients, skip_invalid, wanted)
    return await _score_records(context, clients, wanted)


class FewClients(Route):
    """``POST /predict`` for JSON without a query: what one client at a time comes by.

    There is nothing in such a request that FastAPI's dependencies would have to find, and finding
    nothing takes them as long as the rest of the request. Its document stays that of `predict`.
    """

    def __init__(self) -> None:
        super().__init__("/predict", _predict_clients, methods=["POST"], include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Leave everything else to the routes after this one."""
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or scope["query_string"]
            or Headers(scope=scope).get("content-type") != JSON
        ):
            return Match.NONE, {}
        match, found = super().matches(scope)
        return match, {**found, "route": self}


async def _predict_clients(request: Request) -> Response:
    kind = predictions.negotiate(request.headers.get("accept", ""))
    wanted = _Wanted(kind, False, False, answering_of(request))
    clients = records_of(await request.body())
    return await _score_records(request.app.state.context, clients, wanted)


@router.post("/inspect", response_model=Inspection)
async def inspect(
    upload: FileDep, context: ContextDep, answering: AnsweringDep, purpose: Purpose = "predict"
) -> Response:
    """Read a file without using it: its problems, its repairs, how its columns are distributed."""
    inspection = await context.work(context.service.inspect, upload.file, purpose)
    return answering(Inspection, inspection)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How the caller wants the answer."""

    kind: str
    interval: bool
    excel: bool
    answering: Answering

    @property
    def whole_interval(self) -> bool:
        """Whether the interval is to be computed: an Arrow stream always holds it."""
        return self.interval or self.kind == predictions.ARROW


def _score_file(context: Context, file: Upload, skip_invalid: bool, wanted: _Wanted) -> Response:
    service = context.service
    blocks = service.predict_blocks(
        file.file, skip_invalid=skip_invalid, interval=wanted.whole_interval
    )
    return _answer(context, blocks, wanted, PurePath(file.name).stem or "clients")


async def _score_records(context: Context, clients: Records, wanted: _Wanted) -> Response:
    """Score clients: few at once, where a thread would take longer to wake than to score them."""
    if len(clients) <= FEW and context.service.settled:
        return _score_now(context, clients, wanted)
    return await context.ask(_score_now, context, clients, wanted)


def _score_now(context: Context, clients: Records, wanted: _Wanted) -> Response:
    scored = context.service.predict_records(clients, interval=wanted.whole_interval)
    return _answer(context, [scored], wanted, "clients")


def _answer(context: Context, blocks: Iterable[Prediction], wanted: _Wanted, stem: str) -> Response:
    """Write a prediction; a long answer goes out in blocks."""
    passing = Passing(blocks)
    written = _written(passing, wanted)
    context.metrics.predicted(passing.version, passing.rows, passing.report.invalid_rows)
    headers = {**wanted.answering.headers, "X-Model-Version": passing.version}
    if wanted.kind == predictions.CSV:
        headers["Content-Disposition"] = _attachment(f"{stem}-predictions.csv")
    if passing.rows > ROWS_AT_ONCE:
        return StreamingResponse(written, headers=headers, media_type=wanted.kind)
    return Response(b"".join(written), headers=headers, media_type=wanted.kind)


def _written(blocks: Iterable[Prediction], wanted: _Wanted) -> Iterator[bytes]:
    """Score all, and give the answer to be sent."""
    if wanted.kind == predictions.JSON:
        whole = together(blocks, clients=False)
        return predictions.json_blocks(whole, wanted.answering, interval=wanted.interval)
    if wanted.kind == predictions.CSV:
        written = predictions.csv_blocks(blocks, interval=wanted.interval, excel=wanted.excel)
    else:
        written = predictions.arrow_blocks(blocks, wanted.answering)
    held = predictions.held_back(written)
    next(held)
    return held


def _attachment(name: str) -> str:
    """Name a download, whatever characters its name has (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"

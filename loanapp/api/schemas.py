"""What the API takes and gives beyond the records of the core, for its document."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from loanapp.core.answers import DataChoice
from loanapp.core.settings import FeaturePolicy, Promotion

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d")
NO_CONTROLS = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
FreeText = Annotated[str, StringConstraints(max_length=500, pattern=NO_CONTROLS)]


def _written(moment: object) -> object:
    """Take a moment as people write it: a number could be seconds or milliseconds."""
    if isinstance(moment, str) and not _MOMENT.match(moment):
        raise ValueError("the moment is not written as 2026-01-31T12:00:00Z")
    return moment


def _in_utc(moment: datetime) -> datetime:
    """Read a moment without an offset as UTC; refuse one that no calendar of ours holds."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment is out of range") from error


Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_in_utc)]


class TrainingQuery(BaseModel):
    """The choices of one training; what is left out is the server's setting."""

    model_config = ConfigDict(extra="ignore")

    promotion: Promotion | None = Field(None, description="When the new model goes live.")
    features: FeaturePolicy | None = Field(
        None, description="`lawful` leaves the contract's protected columns out."
    )
    data: DataChoice = Field(
        "new", description="`all`: with the files of earlier versions, without double rows."
    )
    seed: int | None = Field(
        None, ge=0, lt=2**31, description="The same file and seed give the same model."
    )
    force: bool = Field(False, description="Train even where the same was trained before.")
    author: FreeText = Field("", description="Who trains; kept with the version.")
    reason: FreeText = Field("", description="Why; kept with the version.")


class Decision(BaseModel):
    """Who changes the model that serves, and why; kept in the history."""

    author: FreeText = Field("", examples=["Camille"])
    reason: FreeText = Field("", examples=["The new one drifts on young clients."])


class RepairNote(BaseModel):
    """One kind of repair, counted in one column."""

    column: str | None
    repair: str
    count: int
    before: str | None = Field(None, description="One example.")
    after: str | None = None


class ProblemNote(BaseModel):
    """One thing that is wrong, and where."""

    row: int | None = Field(
        description="Line in the file as an editor counts it; in JSON the client, from 1.",
        examples=[2],
    )
    column: str | None
    value: str | None = Field(description="As it stands in the file, shortened.")
    problem: str = Field(description="What is wrong and what to do.")


class RejectedRow(BaseModel):
    """A row that was refused where the others were scored."""

    row: int = Field(description="Line in the file as an editor counts it.")
    position: int = Field(description="Where its null stands in `predictions`, from 0.")
    cells: dict[str, str | None] = Field(description="The row as it stands in the file.")
    reason: str = Field(description="What is wrong with it.")


class Predictions(BaseModel):
    """The amounts of a file, in the order of its data rows."""

    predictions: list[float | None] = Field(
        description="Amounts in the target's unit; null for a row that was refused."
    )
    lower: list[float | None] | None = Field(
        None, description="Lower bounds of the 90 % intervals; with `interval=true`."
    )
    upper: list[float | None] | None = Field(None, description="Upper bounds of them.")
    expected: list[float | None] | None = Field(
        None, description="Means of the distributions, for totals; with `interval=true`."
    )
    model_version: str = Field(description="The version that made them all.", examples=["3"])
    n_rows: int
    repairs: list[RepairNote]
    ignored_columns: list[str]
    problem_count: int = Field(0, description="With `skip_invalid=true`: problems in all.")
    invalid_rows: int = Field(0, description="Rows that have a problem.")
    problems: list[ProblemNote] = Field([], description="The first 100 of them.")
    rejected: list[RejectedRow] = Field([], description="With `skip_invalid=true`: all of them.")


class ProblemDetails(BaseModel):
    """A problem as RFC 9457 has it, with its places where a file or a request was refused."""

    type: str = Field(examples=["urn:problem-type:loanapp:invalid-table"])
    title: str
    status: int = Field(examples=[422])
    detail: str = ""
    instance: str = Field("", description="The path of the request.")
    request_id: str | None = Field(None, description="The server's log has it too.")
    problems: list[ProblemNote] | None = Field(None, description="The first 100 problems.")
    problem_count: int | None = Field(None, description="How many problems there are in all.")


class Ready(BaseModel):
    """A model serves."""

    status: Literal["ready"]
    model_version: str

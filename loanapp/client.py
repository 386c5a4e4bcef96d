"""The calls of the service, over the network: a typed client of the REST API."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import cache
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, TypeVar, cast

import httpx
import orjson
from pydantic import TypeAdapter, ValidationError

from loanapp.core import transfer
from loanapp.core.answers import (
    Health,
    HistoryEntry,
    Inspection,
    Job,
    ModelDetails,
    ModelVersion,
    Prediction,
    TrainingOptions,
)
from loanapp.core.data.report import Report
from loanapp.core.data.schema import Schema, parse_schema
from loanapp.core.errors import (
    InvalidTable,
    LoanappError,
    Message,
    RemoteUnavailable,
    TrainingBusy,
    message,
)

Kind = TypeVar("Kind")
ERRORS: Mapping[str, type[LoanappError]] = {
    kind.code: kind for kind in LoanappError.__subclasses__()
}
CONNECT_S, QUIET_S = 5.0, 60.0
TRIES, PAUSE_S = 3, 0.3
PREFER = "texts=templates"
"""Texts come as templates, so that whoever shows them chooses the language."""


class Client:
    """A remote Loanapp: the same calls and the same errors as the service of this process.

    Parameters
    ----------
    base_url
        Where the API is, such as ``http://localhost:8000``; redirects are not followed.
    token
        Sent as ``Authorization: Bearer``.
    timeout_s
        How long an answer may take.
    """

    def __init__(
        self, base_url: str, *, token: str | None = None, timeout_s: float = 600.0
    ) -> None:
        self.base_url = base_url.rstrip("/")
        headers = {"Prefer": PREFER, "Accept": "application/json", "Accept-Language": "en"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=self.base_url,
            headers=headers,
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
            transport=httpx.HTTPTransport(retries=1),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def health(self) -> Health:
        """Whether a model serves, and which."""
        return self._get(Health, "/health")

    def schema(self) -> Schema:
        """The contract in force."""
        return parse_schema(self._get(dict[str, Any], "/schema"))

    def inspect(self, source: BinaryIO, purpose: Literal["train", "predict"]) -> Inspection:
        """Read a file and say what is in it; an unusable file is an answer, not an error."""
        response = self._send("POST", "/inspect", params={"purpose": purpose}, files=_form(source))
        return self._read(Inspection, response)

    def start_training(
        self, source: BinaryIO, options: TrainingOptions, *, file_name: str = ""
    ) -> Job:
        """Check a file and start a training on it.

        Raises
        ------
        InvalidTable, LimitExceeded, TrainingFailed, TrainingBusy, RemoteUnavailable
        """
        chosen = _adapter(TrainingOptions).dump_python(options, mode="json", exclude_none=True)
        response = self._send(
            "POST",
            "/train",
            files=_form(source, file_name),
            data={name: _field(value) for name, value in chosen.items()},
            headers={"Prefer": f"respond-async, {PREFER}"},
        )
        return self._read(Job, response)

    def jobs(self) -> Sequence[Job]:
        """The trainings, newest first."""
        return self._get(list[Job], "/jobs")

    def job(self, job_id: str) -> Job:
        """One training as it stands now. Raises UnknownJob."""
        return self._get(Job, f"/jobs/{_segment(job_id)}")

    def follow(self, job_id: str) -> Iterator[Job]:
        """Yield the training each time it has moved on, until it has ended. Raises UnknownJob.

        A connection that breaks is taken up again.
        """
        job = self.job(job_id)
        yield job
        while job.active:
            for state in self._events(job_id):
                if state != job:
                    job = state
                    yield job
            if job.active:
                time.sleep(PAUSE_S)
                job = self.job(job_id)

    def cancel(self, job_id: str) -> Job:
        """Stop a training. Raises UnknownJob; one that has ended stays as it is."""
        return self._read(Job, self._send("DELETE", f"/jobs/{_segment(job_id)}"))

    def predict(self, source: BinaryIO, *, skip_invalid: bool = False) -> Prediction:
        """Score a file. Raises InvalidTable, LimitExceeded, NoModel."""
        return self._predict(params={"skip_invalid": skip_invalid}, files=_form(source))

    def predict_blocks(
        self, source: BinaryIO, *, skip_invalid: bool = False, interval: bool = True
    ) -> Iterator[Prediction]:
        """Score a file; the answer is one block. Raises InvalidTable, LimitExceeded, NoModel."""
        del interval  # the answer always has it
        yield self.predict(source, skip_invalid=skip_invalid)

    def predict_records(self, records: Sequence[Mapping[str, object]]) -> Prediction:
        """Score clients given as records by column name. Raises InvalidTable, NoModel."""
        body = orjson.dumps(
            {"clients": [dict(record) for record in records]},
            option=orjson.OPT_SERIALIZE_NUMPY,
            default=str,
        )
        return self._predict(content=body, headers={"Content-Type": "application/json"})

    def models(self) -> Sequence[ModelVersion]:
        """The registered versions, newest first."""
        return self._get(list[ModelVersion], "/models")

    def model(self, version: str) -> ModelDetails:
        """One version with its pictures. Raises UnknownVersion."""
        return self._get(ModelDetails, f"/models/{_segment(version)}")

    def history(self) -> Sequence[HistoryEntry]:
        """Every change of the model that serves, newest first."""
        return self._get(list[HistoryEntry], "/history")

    def live_at(self, moment: datetime) -> HistoryEntry | None:
        """The entry that made the model of that moment live; None: nothing served."""
        at = moment.astimezone().isoformat()
        return next(iter(self._get(list[HistoryEntry], "/history", at=at)), None)

    def promote(self, version: str, *, author: str = "", reason: str = "") -> ModelVersion:
        """Make a version serve. Raises UnknownVersion, InvalidBundle."""
        decision = {"author": author, "reason": reason}
        path = f"/models/{_segment(version)}/promote"
        return self._read(ModelVersion, self._send("POST", path, json=decision))

    def rollback(self, *, author: str = "", reason: str = "") -> ModelVersion:
        """Make the version that served before serve again. Raises UnknownVersion."""
        decision = {"author": author, "reason": reason}
        return self._read(ModelVersion, self._send("POST", "/models/rollback", json=decision))

    def _get(self, kind: type[Kind], path: str, **params: str) -> Kind:
        return self._read(kind, self._send("GET", path, params=params))

    def _predict(self, *, headers: Mapping[str, str] | None = None, **request: Any) -> Prediction:
        headers = {"Accept": transfer.MEDIA_TYPE, **(headers or {})}
        response = self._send("POST", "/predict", headers=headers, **request)
        try:
            return transfer.from_arrow(response.content)
        except (ValueError, OSError) as error:
            raise self._foreign() from error

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request; one that only reads is sent again where the connection fails."""
        for attempt in range(TRIES if method == "GET" else 1):
            if attempt:
                time.sleep(PAUSE_S * attempt)
            try:
                response = self._http.request(method, path, **request)
                break
            except httpx.TransportError as error:
                failure = error
        else:
            raise self._unreachable() from failure
        if response.status_code >= 300:
            raise self._error(response)
        return response

    def _events(self, job_id: str) -> Iterator[Job]:
        """Read the training's events until they end or the connection does."""
        path = f"/jobs/{_segment(job_id)}/events"
        headers = {"Accept": "text/event-stream"}
        timeout = httpx.Timeout(QUIET_S, connect=CONNECT_S)
        try:
            with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
                if response.status_code >= 300:
                    response.read()
                    raise self._error(response)
                for line in response.iter_lines():
                    if line.startswith("data:"):
                        yield self._parse(Job, line.removeprefix("data:"))
        except httpx.TransportError:
            return

    def _read(self, kind: type[Kind], response: httpx.Response) -> Kind:
        return self._parse(kind, response.content)

    def _parse(self, kind: type[Kind], content: bytes | str) -> Kind:
        try:
            return cast(Kind, _adapter(cast(Any, kind)).validate_json(content))
        except ValidationError as error:
            raise self._foreign() from error

    def _error(self, response: httpx.Response) -> LoanappError:
        """Make the error that a problem tells of; a foreign answer is a remote that fails."""
        try:
            problem = orjson.loads(response.content)
            kind = ERRORS.get(str(problem["type"]).rpartition(":")[2])
            what = _adapter(Message).validate_python(problem.get("message") or problem["detail"])
            if kind is InvalidTable:
                return InvalidTable(what, _report_of(problem))
            if kind is TrainingBusy:
                seconds = int(response.headers.get("retry-after", "30"))
                return TrainingBusy(what, str(problem.get("job_id", "")), seconds)
        except (ValueError, LookupError, TypeError, AttributeError):
            return self._foreign(response.status_code)
        if kind:
            return kind(what)
        return RemoteUnavailable(
            message("The API at {url} refuses this: {detail}", url=self.base_url, detail=what)
        )

    def _unreachable(self) -> RemoteUnavailable:
        return RemoteUnavailable(
            message("The API at {url} does not answer. Is it running?", url=self.base_url)
        )

    def _foreign(self, status: int = 200) -> RemoteUnavailable:
        return RemoteUnavailable(
            message(
                "What answers at {url} is not a Loanapp API (status {status}).",
                url=self.base_url,
                status=str(status),
            )
        )


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _form(source: BinaryIO, name: str = "") -> dict[str, tuple[str, BinaryIO, str]]:
    return {"file": (name or "clients", source, "application/octet-stream")}


def _field(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _segment(part: str) -> str:
    """Write a name as one segment of a path, whatever is in it."""
    from urllib.parse import quote

    return quote(part, safe="") or "%20"


def _report_of(problem: Mapping[str, Any]) -> Report:
    known = {f.name: problem[f.name] for f in fields(Report) if f.name in problem}
    return cast(Report, _adapter(Report).validate_python(known))

"""What goes wrong, as problem+json (RFC 9457). One table says which error is which status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from loanapp.api.answering import Answering, adapter
from loanapp.api.language import language_of, translate_of
from loanapp.api.roles import methods_of
from loanapp.core.data.report import Report
from loanapp.core.errors import (
    InvalidBundle,
    InvalidSchema,
    InvalidTable,
    LimitExceeded,
    LoanappError,
    Message,
    NoModel,
    NotAllowed,
    NotIdentified,
    RemoteUnavailable,
    StoreUnavailable,
    TrainingBusy,
    TrainingFailed,
    UnknownJob,
    UnknownVersion,
    message,
)
from loanapp.i18n import translate
from loanapp.web.refusal import RequestRefused

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:loanapp:"
INVALID_REQUEST = "invalid-request"
VALUE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Rule:
    """How one class of errors is answered."""

    status: int
    title: Message
    retry_after_s: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


RULES: Mapping[type[LoanappError], Rule] = {
    InvalidTable: Rule(422, message("The file was refused.")),
    LimitExceeded: Rule(413, message("This is too large.")),
    NoModel: Rule(503, message("No model serves yet."), retry_after_s=10),
    UnknownVersion: Rule(404, message("There is no such version.")),
    UnknownJob: Rule(404, message("There is no such training.")),
    InvalidBundle: Rule(409, message("This version cannot serve.")),
    TrainingBusy: Rule(409, message("Another training is running.")),
    TrainingFailed: Rule(422, message("The training ended without a model.")),
    StoreUnavailable: Rule(503, message("The store does not answer."), retry_after_s=5),
    RemoteUnavailable: Rule(502, message("The remote API does not answer.")),
    InvalidSchema: Rule(500, message("The contract cannot be used.")),
    NotIdentified: Rule(
        401,
        message("Who are you?"),
        headers={"WWW-Authenticate": 'Bearer realm="Loanapp"'},
    ),
    NotAllowed: Rule(403, message("This is not allowed.")),
}

REFUSED = message("The request cannot be used.")
DETAILS: Mapping[int, tuple[Message, Message]] = {
    400: (REFUSED, message("The request could not be read.")),
    404: (
        message("There is nothing here."),
        message("There is nothing at this address: the documentation lists what there is."),
    ),
    405: (REFUSED, message("This address does not take this method.")),
}


class BodyTooLarge(HTTPException):
    """A body beyond its limit, met while it arrives. FastAPI lets an `HTTPException` through."""

    def __init__(self, limit_mb: float) -> None:
        super().__init__(413)
        self.error = LimitExceeded(
            message("The upload is larger than {limit} MB, the most that is taken.", limit=limit_mb)
        )


class TrainingEnded(TrainingFailed):
    """A training that ended without a model, with the state it ended in."""

    def __init__(self, what: Message, job_id: str, state: str) -> None:
        super().__init__(what)
        self.job_id, self.state = job_id, state


TrainingEnded.code = TrainingFailed.code
ENDED_STATUS: Mapping[str, int] = {"failed": 422, "cancelled": 409, "interrupted": 503}


def install(app: FastAPI) -> None:
    """Make every error of an app a problem+json."""
    handlers: Mapping[type[Exception], Any] = {
        LoanappError: on_loanapp_error,
        RequestRefused: on_request_refused,
        RequestValidationError: on_validation_error,
        HTTPException: on_http_exception,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def on_loanapp_error(request: Request, error: LoanappError) -> Response:
    """Answer an error of the core by the table."""
    rule = next(RULES[kind] for kind in type(error).__mro__ if kind in RULES)
    status, facts, retry_after_s = rule.status, {}, rule.retry_after_s
    if isinstance(error, InvalidTable):
        facts = answering_of(request).document(Report, error.report)
    elif isinstance(error, TrainingBusy):
        facts, retry_after_s = {"job_id": error.job_id}, error.retry_after_s
    elif isinstance(error, TrainingEnded):
        facts = {"job_id": error.job_id, "state": error.state}
        status = ENDED_STATUS.get(error.state, rule.status)
    return problem(
        request, status, error.code, rule.title, error.message, facts,
        headers=rule.headers, retry_after_s=retry_after_s,
    )  # fmt: skip


async def on_request_refused(request: Request, error: RequestRefused) -> Response:
    """Answer a request that is wrong in itself."""
    return problem(
        request, error.status, INVALID_REQUEST, REFUSED, error.message,
        retry_after_s=error.retry_after_s,
    )  # fmt: skip


async def on_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Answer a parameter or a body that is not as declared, every fault with its place."""
    language = language_of(request)
    faults = [
        {
            "row": None,
            "column": ".".join(map(str, fault["loc"])),
            "value": _shown(fault.get("input")),
            "problem": translate(_fault_message(fault), language),
        }
        for fault in error.errors()
    ]
    facts = {"problems": faults[:100], "problem_count": len(faults)}
    detail = message("At least one parameter is not as it should be: see the problems.")
    return problem(request, 422, INVALID_REQUEST, REFUSED, detail, facts)


async def on_http_exception(request: Request, error: HTTPException) -> Response:
    """Answer what the router or the server itself refuses."""
    if isinstance(error, BodyTooLarge):
        return await on_loanapp_error(request, error.error)
    status = HTTPStatus(error.status_code)
    title, detail = DETAILS.get(status, (REFUSED, Message(str(error.detail))))
    headers = error.headers
    if status == HTTPStatus.METHOD_NOT_ALLOWED:  # the router names those of one route alone
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        headers = {"Allow": ", ".join(methods_of(path))}
    return problem(request, status, None, title, detail, headers=headers)


def problem(
    request: Request,
    status: int,
    code: str | None,
    title: Message,
    detail: Message,
    facts: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    retry_after_s: int | None = None,
) -> Response:
    """Write a problem in the reader's language, under the request's id."""
    answering = answering_of(request)
    language = answering.language
    document = {
        "type": f"{TYPE_PREFIX}{code}" if code else "about:blank",
        "title": translate(title, language),
        "status": int(status),
        "detail": translate(detail, language),
        "instance": request.scope["path"],
        "request_id": getattr(request.state, "request_id", None),
        **(facts or {}),
    }
    if answering.translate is None:
        document["message"] = adapter(Message).dump_python(detail)
    content = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    extra = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else {}
    headers = {**(headers or {}), **answering.headers, "Cache-Control": "no-store", **extra}
    return Response(content, int(status), headers, MEDIA_TYPE)


def answering_of(request: Request) -> Answering:
    """Give what writes the answers to a request."""
    return Answering(language_of(request), translate_of(request))


def _fault_message(fault: Mapping[str, Any]) -> Message:
    """Say what is wrong with a parameter in a sentence that can be translated."""
    context = {k: str(v) for k, v in fault.get("ctx", {}).items()}
    match fault["type"]:
        case "missing":
            return message("It is missing.")
        case "literal_error":
            return message(
                "It must be {choices}.", choices=context["expected"].replace(" or ", ", ")
            )
        case "int_parsing" | "int_type" | "int_from_float":
            return message("It must be a whole number.")
        case "bool_parsing" | "bool_type":
            return message("It must be true or false.")
        case "string_too_long":
            return message("It is longer than {limit} characters.", limit=context["max_length"])
        case "string_pattern_mismatch" | "string_unicode":
            return message("It holds characters that no text has.")
        case "json_invalid":
            return message("It is not valid JSON.")
        case kind if kind.startswith(("datetime", "timezone")):
            return message("It must be a moment such as 2026-01-31T12:00:00Z.")
    return Message(str(fault["msg"]))


def _shown(value: object) -> str | None:
    """Give a value of a request for its sender to recognise, shortened; containers are not."""
    return str(value)[:VALUE_LENGTH] if isinstance(value, str | int | float) else None

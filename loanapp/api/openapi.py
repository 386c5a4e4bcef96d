"""What FastAPI cannot know of the API's document: the bodies, and examples from the contract."""

from __future__ import annotations

import csv
import io
from http import HTTPStatus
from typing import Any

from loanapp.api.roles import role_for
from loanapp.api.schemas import ProblemDetails, TrainingQuery
from loanapp.core import transfer
from loanapp.core.access import Role
from loanapp.core.answers import PREDICTION_COLUMNS
from loanapp.core.data.samples import sample_clients
from loanapp.core.data.schema import Schema

Json = dict[str, Any]

PROBLEMS: dict[int | str, Json] = {"default": {"description": "A problem (RFC 9457)."}}
PROBLEM_SCHEMA = {"$ref": "#/components/schemas/ProblemDetails"}
PROBLEM_TYPE = "application/problem+json"
EXAMPLE_ROWS = 3
FURTHER = {"/train": [409, 503], "/predict": [503], "/ready": [503]}
BEARER = "bearer"
BEARER_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of `loanapp token`; what it may do is its role's.",
}


def complete(document: Json, schema: Schema, *, guarded: bool) -> Json:
    """Add the bodies of the calls that take files, the examples, how errors look, and the token.

    Parameters
    ----------
    document
        As FastAPI makes it.
    schema
        The contract that the examples are drawn from.
    guarded
        Whether calls take a token.
    """
    paths = document["paths"]
    options = TrainingQuery.model_json_schema()["properties"]
    paths["/train"]["post"]["requestBody"] = _file_body(schema, target=True, options=options)
    paths["/inspect"]["post"]["requestBody"] = _file_body(schema, target=False)
    paths["/predict"]["post"]["requestBody"] = _clients_body(schema)
    _add_answer_examples(paths["/predict"]["post"]["responses"]["200"]["content"], schema)
    for path, operations in paths.items():
        for method, operation in operations.items():
            _add_problems(operation, path)
            role = role_for(method.upper(), path)
            if guarded and role:
                _ask_for_token(operation, role)
    if guarded:
        document["components"]["securitySchemes"] = {BEARER: BEARER_SCHEME}
    components = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, definition in problem.pop("$defs", {}).items():
        components.setdefault(name, definition)
    components["ProblemDetails"] = problem
    return document


def _file_body(schema: Schema, *, target: bool, options: Json | None = None) -> Json:
    """A file, as a form's part or as the body itself."""
    example = _csv(sample_clients(schema, EXAMPLE_ROWS, target=target).to_pylist())
    file = {"type": "string", "format": "binary", "description": "CSV, Excel or Parquet."}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": file, **(options or {})},
    }
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form},
            "text/csv": {"schema": {"type": "string", "minLength": 1}, "example": example},
        },
    }


def _clients_body(schema: Schema) -> Json:
    """A file, or clients as JSON."""
    body = _file_body(schema, target=False)
    names = [f for f in schema.fields if f.role != "target"]
    client = {
        "type": "object",
        "properties": {f.name: _property(f.type, f.describe("en"), f.enum) for f in names},
    }
    clients = {
        "type": "object",
        "required": ["clients"],
        "properties": {"clients": {"type": "array", "items": client}},
    }
    example = {"clients": sample_clients(schema, EXAMPLE_ROWS, target=False).to_pylist()[:2]}
    body["content"]["application/json"] = {"schema": clients, "example": example}
    return body


def _property(kind: str, description: str, enum: tuple[str, ...]) -> Json:
    """A cell: its kind, or null where it is missing."""
    property_ = {"type": [kind, "null"], "description": description}
    return {**property_, "enum": [*enum, None]} if enum and kind != "boolean" else property_


def _add_answer_examples(content: Json, schema: Schema) -> None:
    """Show an answer: as JSON, and as the file with the amounts added."""
    amounts = sample_clients(schema, EXAMPLE_ROWS).column(schema.target.name).to_pylist()
    content["application/json"]["example"] = {
        "predictions": amounts,
        "model_version": "3",
        "n_rows": len(amounts),
        "repairs": [],
        "ignored_columns": [],
    }
    clients = sample_clients(schema, EXAMPLE_ROWS, target=False).to_pylist()
    column = PREDICTION_COLUMNS["amounts"]
    added = [{**client, column: amount} for client, amount in zip(clients, amounts, strict=True)]
    content["text/csv"] = {"schema": {"type": "string"}, "example": _csv(added)}
    content[transfer.MEDIA_TYPE] = {"schema": {"type": "string", "format": "binary"}}


def _csv(rows: list[Json]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _add_problems(operation: Json, path: str) -> None:
    """Name the errors that a call can end with, FastAPI's own among them, as problem+json."""
    responses = operation["responses"]
    statuses = [403, 421, 429]
    if "requestBody" in operation:
        statuses += [400, 408, 413, 415, 422]
    if "{" in path or path == "/models/rollback":
        statuses += [404, 409]
    if path in FURTHER:
        statuses += FURTHER[path]
    for status in statuses:
        responses.setdefault(str(status), {"description": HTTPStatus(status).phrase})
    for status, response in responses.items():
        if not status.startswith("2"):
            response["content"] = {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA}}


def _ask_for_token(operation: Json, role: Role) -> None:
    """Say that a call takes a token, and of which role."""
    operation["security"] = [{BEARER: []}]
    operation["description"] = f"{operation.get('description', '')}\n\nRole: `{role}`.".strip()
    operation["responses"]["401"] = {
        "description": HTTPStatus.UNAUTHORIZED.phrase,
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
        "content": {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA}},
    }

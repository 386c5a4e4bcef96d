"""A file that a client sends: as the part `file` of a form, or as the body itself.

It is spooled: small ones stay in memory, the others go to a temporary file as they arrive.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated, Any, BinaryIO, cast

import orjson
from fastapi import Depends, Request, UploadFile
from starlette.datastructures import FormData
from starlette.datastructures import UploadFile as FormFile
from starlette.exceptions import HTTPException

from loanapp.api.errors import BodyTooLarge
from loanapp.core.data.report import refused
from loanapp.core.errors import message
from loanapp.web.refusal import RequestRefused

SPOOL_BYTES = 8 << 20
FIELDS, FIELD_BYTES = 20, 20_000
NAME_LENGTH = 120
FORM, JSON = "multipart/form-data", "application/json"
Records = list[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has arrived, and what came with it.

    Parameters
    ----------
    file
        Its bytes, at their beginning.
    name
        Its name without folders; empty where the client gave none.
    fields
        The other fields of the form.
    """

    file: BinaryIO
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def media_type(request: Request) -> str:
    """Give what the client says the body is, without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(request: Request) -> bool:
    """Whether the client says the body is JSON."""
    kind = media_type(request)
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


async def receive_file(request: Request) -> AsyncIterator[Upload]:
    """Take a file in; it is closed once the answer has been sent."""
    if is_json(request):
        raise RequestRefused(
            415,
            message("JSON is not taken here: send a file as the part “file” of a form,"
                    " or as the body with the content type text/csv."),
        )  # fmt: skip
    if media_type(request) == FORM:
        form = await _read_form(request)
        try:
            yield _upload_of(form)
        finally:
            await form.close()
        return
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as file:
        spooled = UploadFile(cast(BinaryIO, file), size=0)
        async for chunk in request.stream():
            await spooled.write(chunk)
        if not file.tell():
            raise refused(message("The request is empty: send a file."))
        await spooled.seek(0)
        yield Upload(spooled.file)


async def receive_clients(request: Request) -> AsyncIterator[Upload | Records]:
    """Take in a file, or the clients of a JSON body."""
    if is_json(request):
        yield records_of(await request.body())
        return
    async for upload in receive_file(request):
        yield upload


async def _read_form(request: Request) -> FormData:
    try:
        return await request.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES)
    except BodyTooLarge:
        raise
    except HTTPException as error:
        raise RequestRefused(
            400,
            message("The form cannot be read ({reason}). It takes one part “file” and short"
                    " fields.", reason=str(error.detail)),
        ) from error  # fmt: skip


def _upload_of(form: FormData) -> Upload:
    file = form.get("file")
    if not isinstance(file, FormFile):
        raise RequestRefused(
            422, message("The form has no file: send one as its part “file”, with a file name.")
        )
    fields = {k: v for k, v in form.items() if isinstance(v, str)}
    return Upload(file.file, bare_name(file.filename or ""), fields)


def bare_name(name: str) -> str:
    """Strip a file name of folders and of what no name should hold."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[:NAME_LENGTH]


def records_of(body: bytes) -> Records:
    """Read the clients of a JSON body. Raises RequestRefused."""
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestRefused(
            400, message("The body is not valid JSON: {reason}.", reason=str(error))
        ) from error
    clients = document.get("clients") if isinstance(document, dict) else None
    if not isinstance(clients, list) or not all(isinstance(c, dict) for c in clients):
        raise RequestRefused(
            422,
            message("The JSON must be an object with a list “clients” of objects, one a client."),
        )
    return clients


FileDep = Annotated[Upload, Depends(receive_file)]
ClientsDep = Annotated[Upload | Records, Depends(receive_clients)]

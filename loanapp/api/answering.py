"""How an answer is written: records as JSON, their texts in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi.responses import Response
from pydantic import TypeAdapter

from loanapp.core.errors import Message
from loanapp.core.settings import Language


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Give what reads and writes one kind of record; built once."""
    return TypeAdapter(kind)


@dataclass(frozen=True, slots=True)
class Answering:
    """Writes answers in one language.

    Parameters
    ----------
    language
        What the answers say they are written in.
    translate
        Writes their texts; None: as templates and values.
    """

    language: Language
    translate: Callable[[Message | str], str] | None

    @property
    def headers(self) -> dict[str, str]:
        """What every answer with texts says of itself."""
        return {"Content-Language": self.language, "Vary": "Accept, Accept-Language, Prefer"}

    def json(self, kind: Any, value: object) -> bytes:
        """Write a record of a kind as JSON."""
        context = {"translate": self.translate}
        return adapter(kind).dump_json(value, by_alias=True, context=context)

    def document(self, kind: Any, value: object) -> dict[str, Any]:
        """Give a record of a kind as what JSON is written from."""
        document: dict[str, Any] = adapter(kind).dump_python(
            value, mode="json", by_alias=True, context={"translate": self.translate}
        )
        return document

    def __call__(
        self,
        kind: Any,
        value: object,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Answer with a record."""
        headers = {**self.headers, **(headers or {})}
        return Response(self.json(kind, value), status, headers, "application/json")

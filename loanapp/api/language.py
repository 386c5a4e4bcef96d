"""Which language a request is answered in."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from loanapp.core.errors import Message
from loanapp.core.settings import Language
from loanapp.i18n import preferred_language, translator

TEMPLATES = "texts=templates"
"""A ``Prefer`` for programs that translate by themselves: texts come as template and values."""


def language_of(request: Request) -> Language:
    """Choose by ``Accept-Language``; the setting where it asks for none that there is."""
    default: Language = request.app.state.context.settings.language
    return preferred_language(request.headers.get("accept-language"), default)


def translate_of(request: Request) -> Callable[[Message | str], str] | None:
    """Give what writes the texts of an answer; None: as templates, for `Client`."""
    if TEMPLATES in request.headers.get("prefer", ""):
        return None
    return translator(language_of(request))

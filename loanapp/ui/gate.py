"""Before the pages: from where they may be reached, by which name, and from which page."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from loanapp.core.errors import message
from loanapp.core.settings import Settings
from loanapp.i18n import preferred_language, translate
from loanapp.web.origin import check_host, check_origin
from loanapp.web.peers import from_this_machine
from loanapp.web.refusal import RequestRefused

ALIVE = "/_stcore/health"


class Gate:
    """Lets browsers in from where the settings let them; Streamlit asks nobody for more.

    Parameters
    ----------
    app
        Streamlit's application.
    settings
        ``allow_anonymous``, ``allowed_hosts``, ``language``.
    asks
        Whether the pages ask their visitors who they are.
    """

    def __init__(self, app: ASGIApp, settings: Settings, asks: Callable[[], bool]) -> None:
        self.app, self.settings, self.asks = app, settings, asks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one connection."""
        try:
            self._admit(scope)
        except RequestRefused as refused:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._answer(scope, refused)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        near = from_this_machine(scope) or self.settings.allow_anonymous
        if not (near or scope["path"] == ALIVE or self.asks()):
            raise RequestRefused(
                401,
                message(
                    "This application answers to its own machine alone. Set up a login or tokens"
                    " (LOANAPP_API_TOKENS), or allow anybody (LOANAPP_ALLOW_ANONYMOUS=true)."
                ),
            )
        check_host(scope, self.settings.allowed_hosts)
        check_origin(scope)

    def _answer(self, scope: Scope, refused: RequestRefused) -> HTMLResponse:
        accepted = Headers(scope=scope).get("accept-language")
        language = preferred_language(accepted, self.settings.language)
        text = escape(translate(refused.message, language))
        page = f'<!doctype html><html lang="{language}"><title>Loanapp</title><p>{text}</p>'
        asked = {"WWW-Authenticate": 'Bearer realm="Loanapp"'} if refused.status == 401 else {}
        return HTMLResponse(page, refused.status, asked)

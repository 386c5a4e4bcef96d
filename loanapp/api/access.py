"""Who calls, from where, and whether they may: before anything else is done with a request."""

from __future__ import annotations

import re

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from loanapp.api.errors import on_loanapp_error, on_request_refused
from loanapp.api.roles import role_for
from loanapp.core.access import ANYBODY, Identity, identify
from loanapp.core.errors import LoanappError, NotIdentified, message
from loanapp.core.permission import require
from loanapp.core.settings import Settings
from loanapp.web.origin import check_host, check_origin
from loanapp.web.peers import from_this_machine, peer
from loanapp.web.rates import Rates
from loanapp.web.refusal import RequestRefused

DOCUMENTATION = re.compile(r"/|/openapi\.json|/docs(/.*)?")


class Access:
    """Lets in whom the settings let in, from where they let it.

    Parameters
    ----------
    app
        The application around which this stands. It finds the caller in ``state["caller"]``.
    settings
        ``api_tokens``, ``allow_anonymous``, ``allowed_hosts``, ``requests_per_s``.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.rates = Rates(settings.requests_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            scope["state"]["caller"] = self._admit(scope)
        except RequestRefused as refused:
            answer = await on_request_refused(Request(scope), refused)
        except LoanappError as error:
            answer = await on_loanapp_error(Request(scope), error)
        else:
            await self.app(scope, receive, send)
            return
        await answer(scope, receive, send)

    def _admit(self, scope: Scope) -> Identity:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        needed = role_for(scope["method"], path)
        caller = self._caller(scope, path) if needed else ANYBODY
        check_host(scope, self.settings.allowed_hosts)
        check_origin(scope)
        if needed and caller is not ANYBODY:
            self.rates.take(f"token {caller.name}")
            require(caller, needed)
        elif needed and not from_this_machine(scope):
            self.rates.take(f"address {peer(scope)}")
        return caller

    def _caller(self, scope: Scope, path: str) -> Identity:
        """Tell who calls. Raises NotIdentified."""
        near = from_this_machine(scope) or self.settings.allow_anonymous
        kind, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if not self.settings.api_tokens:
            if near:
                return ANYBODY
            raise NotIdentified(
                message(
                    "This server answers to its own machine alone: it has no tokens"
                    " (LOANAPP_API_TOKENS)."
                )
            )
        if kind.lower() == "bearer" and given:
            caller = identify(self.settings.api_tokens, given.strip())
            if caller is None:
                raise NotIdentified(message("This token is not known."))
            return caller
        if near and DOCUMENTATION.fullmatch(path):
            return ANYBODY
        raise NotIdentified(message("Send a token: the header “Authorization: Bearer …”."))

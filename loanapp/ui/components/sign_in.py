"""The way in and out: a login, or a token."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from loanapp.core.access import identify
from loanapp.core.errors import NotAllowed, NotIdentified
from loanapp.ui.access import KEPT, asks, caller, has_login
from loanapp.ui.backend import settings
from loanapp.ui.guard import show_error
from loanapp.ui.text import _


def sign_in() -> None:
    """Ask whoever is not known yet, and end the page; refuse an account without a role."""
    try:
        caller()
    except NotIdentified:
        st.title("Loanapp")
        if has_login():
            _offer_login()
        else:
            _ask_for_token()
        st.stop()
    except NotAllowed as error:
        show_error(error)
        _offer_to_leave()
        st.stop()


def _offer_login() -> None:
    providers: list[str | None] = [*_providers()] or [None]
    for provider in providers:
        st.button(
            _("Log in with {name}", name=provider) if provider else _("Log in"),
            key=f"login_{provider}" if provider else "login",
            type="primary",
            icon=":material/login:",
            on_click=st.login,
            args=(provider,) if provider else (),
        )


def _providers() -> list[str]:
    """The providers that have names; none where there is one without."""
    sections = st.secrets["auth"].items()
    return [name for name, part in sections if isinstance(part, Mapping) and "client_id" in part]


def _ask_for_token() -> None:
    given = st.text_input(_("Access token"), type="password", key="token")
    st.caption(_("Whoever runs this server makes one with `loanapp token`."))
    if not st.button(_("Log in"), key="login", type="primary", icon=":material/login:"):
        return
    known = identify(settings().api_tokens, given.strip())
    if known is None:
        st.error(_("This token is not known."), icon=":material/block:")
        return
    st.session_state[KEPT] = known
    st.rerun()


def show_caller() -> None:
    """Show who is logged in, and let them leave."""
    if not asks():
        return
    who = caller()
    st.caption(f":material/person: {who.name} · {who.role}")
    _offer_to_leave()


def _offer_to_leave() -> None:
    if st.button(_("Log out"), key="logout", icon=":material/logout:"):
        if has_login():
            st.logout()
        else:
            del st.session_state[KEPT]
            st.rerun()

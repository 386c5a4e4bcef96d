"""What one browser session remembers, whatever page it is on.

Streamlit forgets a widget's value when its page is left; what must last is copied to keys of
ours, which all start with ``kept_``.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from loanapp.core.data.schema import Schema
from loanapp.core.settings import Language
from loanapp.i18n import LANGUAGES, preferred_language
from loanapp.ui.access import guarded
from loanapp.ui.backend import Backend, choose_backend, remote_urls, settings

LANGUAGE_KEY = "lang"
REMOTE_KEY = "kept_remote"


def recall(name: str, default: Any = None) -> Any:
    """Give what was kept under a name."""
    return st.session_state.get(f"kept_{name}", default)


def keep(name: str, value: Any) -> None:
    """Keep a value for the whole session."""
    st.session_state[f"kept_{name}"] = value


def forget(*names: str) -> None:
    """Drop what was kept under the names."""
    for name in names:
        st.session_state.pop(f"kept_{name}", None)


def tell_done() -> None:
    """Say once what was just done, after the run that did it."""
    done = recall("done")
    if done:
        st.toast(done, icon=":material/check_circle:")
        forget("done")


def language() -> Language:
    """The reader's language: the one chosen, else the browser's, else the setting's."""
    chosen = st.session_state.get(LANGUAGE_KEY)
    return chosen if chosen in LANGUAGES else browser_language()


def browser_language() -> Language:
    """The browser's language where there is a translation, else the setting's."""
    return preferred_language(st.context.locale, settings().language)


def remote_url() -> str | None:
    """Address of the remote API chosen in this session; None: the embedded service."""
    url = recall("remote")
    return url if url in remote_urls() else settings().api_url


def backend() -> Backend:
    """What the pages of this session call, as far as whoever uses it may."""
    return guarded(choose_backend(remote_url()))


def schema() -> Schema:
    """The contract of the service in use."""
    url = remote_url()
    return backend().schema() if url is None else _remote_schema(url)


@st.cache_resource(ttl=60, show_spinner=False)
def _remote_schema(url: str) -> Schema:
    """Ask a remote API for its contract once a minute, not at every label."""
    return choose_backend(url).schema()

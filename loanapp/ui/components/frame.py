"""What surrounds every page: the language switch, the state, the texts that Streamlit fixes."""

from __future__ import annotations

import json
from importlib.resources import files

import streamlit as st

from loanapp.core.errors import LoanappError
from loanapp.i18n import LANGUAGES
from loanapp.ui.backend import settings
from loanapp.ui.components.sign_in import show_caller
from loanapp.ui.components.status import show_state
from loanapp.ui.state import LANGUAGE_KEY, backend, language
from loanapp.ui.text import _, number

NAMES = {"fr": "Français", "en": "English"}


def choose_language(key: str) -> None:
    """Let the reader switch the language; every switch shows the same choice."""
    widget = f"{key}_{LANGUAGE_KEY}"
    if st.session_state.get(widget) != language():
        st.session_state[widget] = language()
    st.segmented_control(
        _("Language"),
        LANGUAGES,
        format_func=NAMES.__getitem__,
        required=True,
        key=widget,
        on_change=_switch,
        args=(widget,),
    )


def _switch(widget: str) -> None:
    st.session_state[LANGUAGE_KEY] = st.session_state[widget]


def show_sidebar() -> None:
    """Show the language switch and what serves, below the pages."""
    with st.sidebar:
        choose_language("sidebar")
        try:
            show_state(backend().health())
        except LoanappError:
            st.caption(":material/cloud_off: " + _("The service does not answer"))
        show_caller()


def dress_page() -> None:
    """Name the document's language and translate the words that Streamlit draws itself."""
    style, script = (
        files("loanapp.ui").joinpath(name).read_text("utf-8") for name in ("style.css", "page.js")
    )
    limit = number(settings().max_upload_mb, 1)
    words = {
        "browse": _("Browse files"),
        "drop": _("or drop the file here; at most {n} MB", n=limit),
    }
    variables = " ".join(
        f"--{name}: {json.dumps(text, ensure_ascii=False)};" for name, text in words.items()
    )
    st.html(f"<style>{style} :root {{ {variables} }}</style>")
    st.html(
        f"<script>{script.replace('LANGUAGE', json.dumps(language()))}</script>",
        unsafe_allow_javascript=True,
    )

"""Where the pages work: in this process, or at a remote API that the settings allow."""

from __future__ import annotations

import time

import streamlit as st

from loanapp.core.errors import LoanappError
from loanapp.ui.backend import choose_backend, remote_urls, settings
from loanapp.ui.state import forget, keep, remote_url
from loanapp.ui.text import _, say

EMBEDDED = ""
PER_SERVICE = (
    "train_inspection",
    "predict_inspection",
    "predict_result",
    "job",
    "compare_first",
    "compare_second",
    "training_options",
)


def choose_connection() -> None:
    """Let the user choose the service, and show whether it answers."""
    embedded = [] if settings().api_url else [EMBEDDED]
    options = [*embedded, *remote_urls()]
    names = {url: f"`{url}`" for url in options} | {EMBEDDED: _("Embedded in this application")}
    chosen = st.radio(
        _("Service used by the pages"),
        options,
        options.index(remote_url() or EMBEDDED),
        format_func=names.__getitem__,
        captions=[
            _("REST API at this address.")
            if url
            else _("The model is in this process: no network in between.")
            for url in options
        ],
        key="connection",
        on_change=_switch,
    )
    show_connection(chosen or None)


def _switch() -> None:
    """Change the service, and forget what only the other one knows."""
    keep("remote", st.session_state["connection"] or None)
    forget(*PER_SERVICE)


def show_connection(url: str | None) -> None:
    """Call the service once and say what it answers."""
    began = time.perf_counter()
    try:
        health = choose_backend(url).health()
    except LoanappError as error:
        st.error(
            _("No connection.")
            + f" {say(error.message)} "
            + _("Start the API there, or choose another service."),
            icon=":material/cloud_off:",
        )
        return
    milliseconds = 1000 * (time.perf_counter() - began)
    model = (
        _("version {version} serves", version=health.model_version)
        if health.model_available
        else _("no model yet")
    )
    st.success(
        _(
            "Connected in {ms} ms: {model}, Loanapp {version}.",
            ms=round(milliseconds),
            model=model,
            version=health.version,
        ),
        icon=":material/cloud_done:",
    )

"""Whether a model serves, and what to do when none does."""

from __future__ import annotations

import streamlit as st

from loanapp.core.answers import Health, ModelDetails
from loanapp.core.errors import UnknownVersion
from loanapp.ui.access import may_open
from loanapp.ui.backend import choose_backend
from loanapp.ui.guard import end_page
from loanapp.ui.navigation import page_path
from loanapp.ui.state import backend, remote_url
from loanapp.ui.text import _, moment, say


def require_model() -> Health:
    """Give what serves; where nothing does, say what to do and end the page."""
    health = backend().health()
    if not health.model_available:
        st.info(
            _("No model serves yet: a model has to be trained first."), icon=":material/school:"
        )
        go_to(_("Train a model"), "train", key="go_train", primary=True)
        end_page()
    return health


def champion(health: Health) -> ModelDetails | None:
    """Give the details of the model that serves."""
    if health.model_version is None:
        return None
    return details(health.model_version, str(health.trained_at))


def details(version: str, stamp: str) -> ModelDetails | None:
    """Give the details of a version, asked for once: they never change.

    Parameters
    ----------
    version
        The version.
    stamp
        What tells it from a version of that number in another store.
    """
    try:
        with st.spinner(_("Looking up the model…")):
            return _details(remote_url(), version, stamp)
    except UnknownVersion:
        return None


@st.cache_resource(max_entries=32, show_spinner=False)
def _details(url: str | None, version: str, stamp: str) -> ModelDetails:
    del stamp
    return choose_backend(url).model(version)


def go_to(
    text: str, page: str, *, key: str, primary: bool = False, icon: str | None = None
) -> None:
    """Offer a button that leads to another page, to whoever may open it."""
    if may_open(page) and st.button(
        text,
        key=key,
        type="primary" if primary else "secondary",
        icon=icon or ":material/arrow_forward:",
    ):
        st.switch_page(page_path(page))


def show_state(health: Health) -> None:
    """Show in one line which model serves, and where."""
    if health.model_available:
        icon, state = "check_circle", _("Version {version} serves", version=health.model_version)
    else:
        icon, state = "radio_button_unchecked", _("No model serves")
    lines = [f":material/{icon}: {state}"]
    if health.model_available and health.trained_at:
        lines.append(_("Trained on {moment}", moment=moment(health.trained_at)))
    lines.append(remote_url() or _("Embedded service"))
    st.caption("  \n".join(lines))


def show_reload_error(health: Health) -> None:
    """Say why the newest model is not the one that serves."""
    if not health.reload_error:
        return
    first = (
        _("The newest model could not be loaded; the previous one goes on serving.")
        if health.model_available
        else _("The model could not be loaded: train another one, or restore its files.")
    )
    st.warning(f"{first} {say(health.reload_error)}", icon=":material/warning:")

"""What was live when: every change of the model that serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from loanapp.core.answers import HistoryEntry
from loanapp.ui.charts.base import show
from loanapp.ui.charts.versions import live_timeline
from loanapp.ui.components.tables import ROWS_SHOWN, show_texts
from loanapp.ui.text import _, moment, plain


def show_history(history: Sequence[HistoryEntry]) -> None:
    """Draw which version was live when, and list every change, newest first."""
    if not history:
        st.caption(_("No version has been live yet."))
        return
    show(
        live_timeline(history, datetime.now(UTC)),
        _(
            "Which version was live when; version {version} is live since {moment}.",
            version=history[0].version,
            moment=moment(history[0].at),
        ),
    )
    columns = {
        _("When"): [moment(entry.at) for entry in history],
        _("Version"): [entry.version for entry in history],
        _("Before"): [entry.previous or "—" for entry in history],
        _("How"): [action_name(entry) for entry in history],
        _("Author"): [plain(entry.author or "—") for entry in history],
        _("Reason"): [plain(entry.reason or "—") for entry in history],
    }
    show_texts(columns, _("Changes of the live model, newest first"), rows_shown=ROWS_SHOWN)


def action_name(entry: HistoryEntry) -> str:
    """Say how a version went live."""
    return {
        "train": _("Training"),
        "promote": _("Promotion"),
        "rollback": _("Roll back"),
        "reconcile": _("Reconciliation with the registry"),
    }[entry.action]

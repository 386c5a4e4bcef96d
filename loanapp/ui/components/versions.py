"""The registered versions: table, promotion and rollback with reason and confirmation."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa
import streamlit as st

from loanapp.core.answers import HistoryEntry, ModelVersion
from loanapp.core.data.schema import Field
from loanapp.core.store.history import earlier_champion
from loanapp.ui.access import caller, may
from loanapp.ui.backend import settings
from loanapp.ui.components.choices import policy_name
from loanapp.ui.components.comparison import choose_name
from loanapp.ui.components.metrics import explain_mae, explain_r2
from loanapp.ui.components.tables import ROWS_SHOWN
from loanapp.ui.guard import guarded
from loanapp.ui.state import backend, forget, keep, recall
from loanapp.ui.text import _, amount_decimals, unit

ROLLBACK = "rollback"
FOLLOWS_S = 3.0
CHOICE_PX = 220


def show_versions(models: Sequence[ModelVersion], target: Field) -> None:
    """List the versions, newest first."""
    frame = pa.table(
        {
            "version": [m.version for m in models],
            "state": [_("live") if m.champion else _("in reserve") for m in models],
            "created": [m.created_at for m in models],
            "mae": pa.array(_rounded(models, target), pa.float64()),
            "r2": pa.array([m.metrics and round(m.metrics.r2, 3) for m in models], pa.float64()),
            "rows": pa.array([m.rows for m in models], pa.int64()),
            "author": pa.array([m.author or None for m in models], pa.string()),
            "reason": pa.array([m.reason or None for m in models], pa.string()),
            "file": pa.array([m.file_name or None for m in models], pa.string()),
            "run": [run_link(m.run_id) for m in models],
            "data": pa.array([m.data_hash and m.data_hash[:12] for m in models], pa.string()),
            "features": [policy_name(m.features) for m in models],
        }
    )
    column = st.column_config
    mae = f"MAE ({unit(target)})" if target.unit else "MAE"
    st.dataframe(
        frame,
        hide_index=True,
        height=38 + 35 * min(len(models), ROWS_SHOWN),
        placeholder="—",
        column_config={
            "version": column.TextColumn(_("Version"), width=70, pinned=True),
            "state": column.TextColumn(_("State"), width=100),
            "created": column.DatetimeColumn(
                _("Trained on"), format="DD/MM/YYYY HH:mm", timezone=st.context.timezone
            ),
            "mae": column.NumberColumn(mae, format="localized", help=explain_mae()),
            "r2": column.NumberColumn("R²", format="localized", help=explain_r2()),
            "rows": column.NumberColumn(_("Rows"), format="localized"),
            "author": column.TextColumn(_("Author")),
            "reason": column.TextColumn(_("Reason")),
            "file": column.TextColumn(_("File")),
            "run": column.LinkColumn(_("MLflow run"), display_text=_("Open")),
            "data": column.TextColumn(_("Data"), help=_("Start of the SHA-256 of the rows.")),
            "features": column.TextColumn(_("Columns")),
        },
        alt=_("Registered versions, newest first"),
    )


def _rounded(models: Sequence[ModelVersion], target: Field) -> list[float | None]:
    decimals = amount_decimals(target)
    return [round(m.metrics.mae, decimals) if m.metrics else None for m in models]


def run_link(run_id: str) -> str:
    """Address of a run in MLflow's own pages."""
    return f"{settings().mlflow_url.rstrip('/')}/#/runs/{run_id}"


def choose_version(models: Sequence[ModelVersion]) -> ModelVersion:
    """Let the user choose a version and put it live."""
    live = next((m.version for m in models if m.champion), None)
    by_version = {m.version: m for m in models}
    names, text = list(by_version), _("Version to look at")
    version = choose_name(st, text, names, "chosen_version", live or names[0], width=CHOICE_PX)
    if version == live:
        st.badge(_("live"), icon=":material/check_circle:", color="green")
    elif may("admin"):
        offer_promotion(version, live, key="promote")
    return by_version[version]


def offer_promotion(version: str, live: str | None, *, key: str) -> None:
    """Offer to put a version live, once a reason is given and it is confirmed."""
    text = _("Put version {version} live", version=version)
    if st.button(text, key=key, type="primary", icon=":material/rocket_launch:"):
        keep("asking", version)
    if recall("asking") != version:
        return

    @st.dialog(text, icon=":material/rocket_launch:", on_dismiss=_stop_asking)
    @guarded
    def ask() -> None:
        st.write(
            _(
                "Version {version} will replace version {live} for everybody, at once.",
                version=version,
                live=live or "—",
            )
        )
        author, reason = _ask_why()
        if st.button(_("Put live"), key="confirm_promote", type="primary"):
            with st.spinner(_("Putting the version live…")):
                model = backend().promote(version, author=author, reason=reason)
            _done(model)

    ask()


def offer_rollback(history: Sequence[HistoryEntry], models: Sequence[ModelVersion]) -> None:
    """Offer to go back to the version that was live before, once it is confirmed."""
    before = earlier_champion(history, {model.version for model in models})
    if before is None or not may("admin"):
        return
    if st.button(
        _("Go back to version {version}", version=before),
        key="rollback",
        icon=":material/undo:",
        help=_("The version that was live before the current one."),
    ):
        keep("asking", ROLLBACK)
    if recall("asking") != ROLLBACK:
        return

    @st.dialog(_("Roll back"), icon=":material/undo:", on_dismiss=_stop_asking)
    @guarded
    def ask() -> None:
        st.write(_("Version {version}, which was live before, will serve again.", version=before))
        author, reason = _ask_why()
        if st.button(_("Roll back"), key="confirm_rollback", type="primary"):
            with st.spinner(_("Putting the version live…")):
                model = backend().rollback(author=author, reason=reason)
            _done(model)

    ask()


def _stop_asking() -> None:
    forget("asking")


def _done(model: ModelVersion) -> None:
    """Close the question and say what was done, once the model serves."""
    until = time.monotonic() + FOLLOWS_S
    while backend().health().model_version != model.version and time.monotonic() < until:
        time.sleep(0.05)
    _stop_asking()
    keep("done", _("Version {version} is live.", version=model.version))
    st.rerun()


def _ask_why() -> tuple[str, str]:
    author = st.text_input(
        _("Author"), recall("author", caller().name), max_chars=100, key="why_author"
    )
    reason = st.text_area(_("Reason"), max_chars=500, key="why_reason", height=100)
    keep("author", author)
    return author, reason

"""The registered versions: table, comparison, promotion with reason and confirmation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import streamlit as st

from loanapp.core.answers import HistoryEntry, ModelVersion
from loanapp.core.data.schema import Field
from loanapp.core.store.history import earlier_champion
from loanapp.ui.access import caller, may
from loanapp.ui.backend import settings
from loanapp.ui.components.choices import policy_name
from loanapp.ui.components.metrics import compare_models, explain_mae, explain_r2
from loanapp.ui.components.tables import ROWS_SHOWN, show_texts, table_height
from loanapp.ui.guard import guarded
from loanapp.ui.state import backend, forget, keep, recall
from loanapp.ui.text import _, amount_decimals, moment, plain, unit

ROLLBACK = "rollback"
FOLLOWS_S = 3.0


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
            "author": [m.author for m in models],
            "reason": [m.reason for m in models],
            "file": [m.file_name for m in models],
            "run": [run_link(m.run_id) for m in models],
            "data": [(m.data_hash or "")[:12] for m in models],
            "features": [policy_name(m.features) for m in models],
        }
    )
    column = st.column_config
    mae = f"MAE ({unit(target)})" if target.unit else "MAE"
    st.dataframe(
        frame,
        hide_index=True,
        height=table_height(len(models)),
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


def compare_two(models: Sequence[ModelVersion], target: Field) -> None:
    """Let the reader put two versions side by side."""
    by_version = {m.version: m for m in models}
    names = list(by_version)
    left, right = st.columns(2)
    first = _choose(left, _("First version"), names, "compare_first", names[0])
    second = _choose(right, _("Second version"), names, "compare_second", names[1])
    pair = [(_("Version {version}", version=v), by_version[v].metrics) for v in (first, second)]
    if first == second:
        st.caption(_("Choose two different versions."))
        return
    compare_models(pair, target, alternative=_("Metrics of two versions side by side"))
    st.caption(
        _(
            "Each version is measured on its own held-out rows: figures on different files "
            "say less than the comparison made while training."
        )
    )


def _choose(place: Any, text: str, names: list[str], key: str, default: str) -> str:
    kept = recall(key, default)
    index = names.index(kept) if kept in names else names.index(default)
    choice: str = place.selectbox(text, names, index, key=key)
    keep(key, choice)
    return choice


def show_history(history: Sequence[HistoryEntry]) -> None:
    """List every change of the live model, newest first."""
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


def choose_version(models: Sequence[ModelVersion]) -> tuple[str, str]:
    """Let the user choose a version and put it live; give the version and its run."""
    live = next((m.version for m in models if m.champion), None)
    names = [m.version for m in models]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        version = _choose(st, _("Version to look at"), names, "chosen_version", live or names[0])
        if version == live:
            st.badge(_("live"), icon=":material/check_circle:", color="green")
        elif may("admin"):
            offer_promotion(version, live, key="promote")
    return version, next(m.run_id for m in models if m.version == version)


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

"""How good a model is: figures with a word for each, beside others'."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from loanapp.core.answers import Evaluation, ModelVersion
from loanapp.core.data.schema import Field
from loanapp.core.model.metrics import Metrics
from loanapp.ui.components.tables import show_texts
from loanapp.ui.state import schema
from loanapp.ui.text import _, amount, number, percent


def explain_mae() -> str:
    """What the mean absolute error is."""
    return _("Mean absolute error: how far a prediction is from the amount, on average.")


def explain_r2() -> str:
    """What R² is."""
    return _(
        "Share of the differences between clients that the model explains: "
        "1 is perfect, 0 is no better than the average."
    )


def show_figures(metrics: Metrics, evaluation: Evaluation | None, rows: int | None) -> None:
    """Show the figures of one model as tiles."""
    target = schema().target
    with st.container(horizontal=True):
        st.metric("MAE", amount(metrics.mae, target), border=True, help=explain_mae())
        st.metric("R²", number(metrics.r2, 3), border=True, help=explain_r2())
        if evaluation:
            st.metric(
                _("Inside the interval"),
                percent(evaluation.coverage, 1),
                border=True,
                help=_("Share of the held-out rows whose amount lies in the 90 % interval."),
            )
        if rows is not None:
            st.metric(_("Rows"), number(rows), border=True, help=_("Trained and tested on."))


def how_good(evaluation: Evaluation, target: Field) -> str:
    """Say in words how good a model is."""
    return _(
        "Half of the predictions are within {error} of the amount.",
        error=amount(evaluation.median_error, target),
    )


def compare_models(
    columns: Sequence[tuple[str, Metrics | None]], target: Field, *, alternative: str
) -> None:
    """Put the metrics of several models side by side, in the target's unit."""
    columns = [(name, metrics) for name, metrics in columns if metrics]
    squared = f"{target.unit}²" if target.unit else ""
    rows = {
        _("Metric"): ["MAE", _("Typical error (RMSE)"), "MSE", "R²"],
        **{
            name: [
                amount(m.mae, target),
                amount(m.mse**0.5, target),
                f"{number(m.mse)} {squared}".strip(),
                number(m.r2, 3),
            ]
            for name, m in columns
            if m
        },
    }
    show_texts(rows, alternative)


def origin(model: ModelVersion) -> str:
    """Say what a version was trained on, by whom and why."""
    parts = [model.file_name or _("unknown file")]
    if model.rows is not None:
        parts.append(_("rows: {n}", n=model.rows))
    if model.author:
        parts.append(model.author)
    return " · ".join(parts)

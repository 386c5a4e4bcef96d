"""How good a model is: figures with a word for each, beside others'."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from loanapp.core.answers import Evaluation, ModelVersion
from loanapp.core.data.schema import Field
from loanapp.core.model.metrics import Metrics
from loanapp.ui.components.tables import show_texts
from loanapp.ui.state import schema
from loanapp.ui.text import NBSP, _, amount, number, percent, plain


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
                help=_("Share of the held-out rows whose amount lies in the 90% interval."),
            )
        if rows is not None:
            st.metric(_("Rows"), number(rows), border=True, help=_("Trained and tested on."))


def how_good(evaluation: Evaluation, target: Field) -> str:
    """Say in words how good a model is."""
    return _(
        "Half of the predictions are within {error} of the amount.",
        error=amount(evaluation.median_error, target),
    )


METRICS = ("MAE", "RMSE", "MSE", "R²")


def compare_models(
    columns: Sequence[tuple[str, Metrics | None]], target: Field, *, alternative: str
) -> None:
    """Put the metrics of several models side by side, in the target's unit."""
    names = {name: name for name in METRICS} | {"RMSE": _("Typical error (RMSE)")}
    rows = {_("Metric"): [names[name] for name in METRICS]} | {
        title: [write_metric(name, metrics, target) for name in METRICS]
        for title, metrics in columns
        if metrics
    }
    show_texts(rows, alternative)


def write_metric(name: str, metrics: Metrics | None, target: Field) -> str:
    """Write a metric in its unit."""
    return "—" if metrics is None else _write(name, _value(name, metrics), target)


def write_difference(
    name: str, first: Metrics | None, second: Metrics | None, target: Field
) -> str:
    """Write by how much the second model's metric is above the first's, with its sign."""
    if first is None or second is None:
        return "—"
    difference = _value(name, second) - _value(name, first)
    sign = "+" if difference > 0 else "−" if difference < 0 else ""
    return sign + _write(name, abs(difference), target)


def _value(name: str, metrics: Metrics) -> float:
    root = float(metrics.mse**0.5)
    return {"MAE": metrics.mae, "RMSE": root, "MSE": metrics.mse, "R²": metrics.r2}[name]


def _write(name: str, value: float, target: Field) -> str:
    if name == "R²":
        return number(value, 3)
    if name == "MSE":
        return f"{number(value)}{NBSP}{target.unit}²" if target.unit else number(value)
    return amount(value, target)


def origin(model: ModelVersion) -> str:
    """Say what a version was trained on, by whom and why."""
    origin = plain(model.file_name or _("unknown file"))
    if model.rows is not None:
        origin += " (" + _("{n} rows", n=model.rows) + ")"
    if model.author:
        origin += " · " + _("by {author}", author=plain(model.author))
    return origin

"""How the columns of a file are distributed, beside the champion's training data."""

from __future__ import annotations

import streamlit as st

from loanapp.core.answers import ColumnProfile, Inspection, ModelDetails
from loanapp.core.data.schema import Field
from loanapp.ui.charts.amounts import column_beside_training
from loanapp.ui.charts.base import show
from loanapp.ui.state import schema
from loanapp.ui.text import _, category, label, plain, titled

COLUMNS = 3


def show_columns(inspection: Inspection, model: ModelDetails | None) -> None:
    """Draw one small chart a column; identifiers are left out."""
    fields = schema().by_name
    seen = {column.name: column for column in model.profile} if model else {}
    shown = [
        column
        for column in inspection.profile
        if column.name in fields and fields[column.name].role != "identifier"
    ]
    if not shown:
        return
    title = (
        _("The file beside the training data of version {version}", version=model.model.version)
        if model
        else _("What is in the file")
    )
    with st.expander(title, icon=":material/bar_chart:", expanded=True):
        st.caption(
            _("Share of the rows. Bars: this file; outline or mark: the training data.")
            if model
            else _("Share of the rows.")
        )
        for start in range(0, len(shown), COLUMNS):
            row = shown[start : start + COLUMNS]
            for place, column in zip(st.columns(COLUMNS), row, strict=False):
                with place:
                    _show_column(column, seen.get(column.name), fields[column.name])


def _show_column(column: ColumnProfile, training: ColumnProfile | None, field: Field) -> None:
    missing = _("missing: {n}", n=column.missing) if column.missing else ""
    st.markdown(f"**{plain(titled(field))}** {missing}".strip())
    show(column_beside_training(column, training, field), _describe(column, field))


def _describe(column: ColumnProfile, field: Field) -> str:
    """Say the range of a number, or the most frequent category."""
    if column.minimum is not None and column.maximum is not None:
        return _(
            "Distribution of {name}: from {low} to {high}.",
            name=titled(field),
            low=column.minimum,
            high=column.maximum,
        )
    most = max(zip(column.counts, column.categories, strict=False), default=(0, "—"))[1]
    return _(
        "Distribution of {name}: most often {category}.",
        name=label(field),
        category=category(field, most),
    )

"""How the columns of a file are distributed, beside the champion's training data."""

from __future__ import annotations

import streamlit as st

from loanapp.core.answers import Inspection, ModelDetails
from loanapp.ui.charts.amounts import column_beside_training
from loanapp.ui.charts.base import show
from loanapp.ui.state import schema
from loanapp.ui.text import _, label

COLUMNS = 2


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
    with st.expander(title, icon=":material/bar_chart:"):
        grid = st.columns(COLUMNS)
        for place, column in enumerate(shown):
            field = fields[column.name]
            with grid[place % COLUMNS]:
                st.markdown(f"**{label(field)}**")
                show(
                    column_beside_training(column, seen.get(column.name), field),
                    _("Distribution of the column {name}", name=label(field)),
                )
                if column.missing:
                    st.caption(_("missing: {n}", n=column.missing))

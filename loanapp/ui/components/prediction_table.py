"""The clients of a file with their amounts: a table that the reader sorts and narrows."""

from __future__ import annotations

from collections.abc import Container
from itertools import chain, count

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from loanapp.core.data.schema import Field, Schema
from loanapp.ui.components.predictions import Scored
from loanapp.ui.guard import guarded
from loanapp.ui.state import schema
from loanapp.ui.text import _, amount_decimals, label, titled, unit

LAZY_ROWS = 20_000
AMOUNT, LOWER, UPPER, EXPECTED, OUTSIDE, ROW = (
    "_amount",
    "_lower",
    "_upper",
    "_expected",
    "_outside",
    "_row",
)


@st.fragment
@guarded
def show_table(scored: Scored, target: Field) -> None:
    """Show the clients with their amounts; the reader sorts and filters them."""
    table = display_table(scored)
    chosen = table.filter(pa.array(_filters(scored, table, target)))
    st.dataframe(
        chosen,
        hide_index=True,
        height=420,
        lazy=chosen.num_rows > LAZY_ROWS,
        placeholder="—",
        column_config=column_titles(schema(), target),
        alt=_("Clients with their predicted amounts"),
    )
    st.caption(
        _(
            "{shown} of {all} clients. Click a column’s title to sort.",
            shown=chosen.num_rows,
            all=table.num_rows,
        )
    )


def display_table(scored: Scored) -> pa.Table:
    """Put row number, names, amounts and warnings before the file's other columns."""
    prediction, contract = scored.prediction, schema()
    decimals = amount_decimals(contract.target)
    estimates = {
        AMOUNT: prediction.amounts,
        LOWER: prediction.lower,
        UPPER: prediction.upper,
        EXPECTED: prediction.expected,
    }
    columns = {ROW: pa.array(np.arange(1, len(prediction.amounts) + 1))}
    columns |= {name: pa.array(values.round(decimals)) for name, values in estimates.items()}
    if scored.is_outside.any():
        columns[OUTSIDE] = _outside_names(scored)
    people: dict[str, pa.ChunkedArray] = {}
    others: dict[str, pa.ChunkedArray] = {}
    pairs = zip(prediction.clients.column_names, prediction.clients.itercolumns(), strict=True)
    for name, column in pairs:
        kept = people if _names_a_person(name, contract) else others
        kept[_unused(name, {*columns, *people, *others})] = _text_or_number(column)
    ordered = {ROW: columns.pop(ROW)} | people | columns | others
    return pa.table(ordered).filter(pa.array(scored.scored))


def _unused(name: str, taken: Container[str]) -> str:
    """A column's name, numbered where another column of the table has it already."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def _names_a_person(name: str, contract: Schema) -> bool:
    field = contract.by_name.get(name)
    return field is not None and field.role == "identifier"


def _text_or_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _outside_names(scored: Scored) -> pa.Array:
    """Name, for each client, the columns that are outside the training data."""
    fields = schema().by_name
    texts = np.full(len(scored.is_outside), "", dtype=object)
    for name, mask in scored.outside.items():
        text = label(fields[name]) if name in fields else name
        texts[mask] = [f"{old}, {text}" if old else text for old in texts[mask]]
    return pa.array(texts, pa.string())


def _filters(scored: Scored, table: pa.Table, target: Field) -> npt.NDArray[np.bool_]:
    """Let the reader narrow the table; give the rows that stay, shape (n_scored,)."""
    amounts = table[AMOUNT].to_numpy()
    keep_row = np.ones(len(amounts), dtype=bool)
    search, span, strange = st.columns([2, 3, 2], vertical_alignment="bottom")
    text = search.text_input(
        _("Search"),
        key="search",
        type="search",
        icon=":material/search:",
        placeholder=_("Name, category…"),
    )
    if text:
        keep_row &= _contains(table, text)
    low, high = np.floor(amounts.min(initial=0)), np.ceil(amounts.max(initial=1))
    bounds = span.slider(
        titled(target),
        float(low),
        float(max(high, low + 1)),
        (float(low), float(high)),
        step=1.0,
        format="localized",
        key="amount_span",
    )
    keep_row &= (amounts >= bounds[0]) & (amounts <= bounds[1])
    if scored.is_outside.any() and strange.checkbox(
        _("Only those unlike the training data"), key="only_outside", wrap=True
    ):
        keep_row &= scored.is_outside[scored.scored]
    return keep_row


def _contains(table: pa.Table, text: str) -> npt.NDArray[np.bool_]:
    found = np.zeros(table.num_rows, dtype=bool)
    for column in table.columns:
        if pa.types.is_string(column.type):
            match = pc.match_substring(column, text, ignore_case=True)
            found |= pc.fill_null(match, False).to_numpy()
    return found


def column_titles(contract: Schema, target: Field) -> dict[str, ColumnConfig | str]:
    """Titles, units and number formats of the table's columns."""
    config = st.column_config
    suffix = f" ({unit(target)})" if target.unit else ""
    titles: dict[str, ColumnConfig | str] = {
        ROW: config.NumberColumn(_("Client"), format="plain", width=70, pinned=True),
        AMOUNT: config.NumberColumn(titled(target), format="localized"),
        LOWER: config.NumberColumn(
            _("Low end") + suffix, format="localized", help=_explain_interval()
        ),
        UPPER: config.NumberColumn(
            _("High end") + suffix, format="localized", help=_explain_interval()
        ),
        EXPECTED: config.NumberColumn(
            _("Expected") + suffix, format="localized", help=_("Totals are made of this one.")
        ),
        OUTSIDE: config.TextColumn(
            _("Unlike the training data"),
            help=_("Columns whose value the model has not seen."),
        ),
    }
    for field in contract.fields:
        titles[field.name] = (
            config.NumberColumn(titled(field), format="localized")
            if field.is_numeric
            else titled(field)
        )
    return titles


def _explain_interval() -> str:
    return _("Nine amounts in ten lie between the low and the high end.")

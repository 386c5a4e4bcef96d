"""The amounts of a file: totals, table, distribution, clients unlike the training data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from loanapp.core.answers import ColumnProfile, Health, ModelDetails, Prediction
from loanapp.core.data.profile import out_of_range
from loanapp.core.data.schema import Field, Schema
from loanapp.ui.charts.amounts import amounts_beside_training
from loanapp.ui.charts.base import show
from loanapp.ui.components.files import Upload
from loanapp.ui.guard import guarded
from loanapp.ui.state import backend, keep, recall, schema
from loanapp.ui.text import _, amount, amount_decimals, label, number, titled, unit

LAZY_ROWS = 20_000
AMOUNT, LOWER, UPPER, EXPECTED, OUTSIDE, ROW = (
    "_amount",
    "_lower",
    "_upper",
    "_expected",
    "_outside",
    "_row",
)


@dataclass(frozen=True)
class Scored:
    """A prediction that stays on the page, with what was known of the model that made it.

    Parameters
    ----------
    prediction
        The amounts.
    profile
        How the model's training data is distributed, by column.
    features
        The columns that feed the model.
    """

    prediction: Prediction
    profile: Mapping[str, ColumnProfile]
    features: Collection[str]

    @cached_property
    def outside(self) -> Mapping[str, npt.NDArray[np.bool_]]:
        """Which cells lie outside the training data, by column; each of shape (n_rows,)."""
        clients = self.prediction.clients
        known = self.profile.keys() & set(self.features)
        names = [name for name in clients.column_names if name in known]
        return out_of_range(clients.select(names), list(self.profile.values()))

    @cached_property
    def is_outside(self) -> npt.NDArray[np.bool_]:
        """Which clients have a cell outside the training data, shape (n_rows,)."""
        inside = np.zeros(len(self.prediction.amounts), dtype=bool)
        return np.asarray(np.logical_or.reduce([inside, *self.outside.values()]))

    @cached_property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Which rows have an amount, shape (n_rows,)."""
        return ~np.isnan(self.prediction.amounts)


def predict_file(upload: Upload, model: ModelDetails | None, *, skip_invalid: bool) -> None:
    """Score the file and keep the answer for the session."""
    with st.spinner(_("Predicting…")):
        prediction = backend().predict(upload.open(), skip_invalid=skip_invalid)
    profile = {column.name: column for column in model.profile} if model else {}
    policy = model.model.features if model else "all"
    features = [field.name for field in schema().features(policy)]
    keep("predict_result", Scored(prediction, profile, features))


def kept_prediction() -> Scored | None:
    """Give the prediction that this session made of the file still chosen."""
    scored: Scored | None = recall("predict_result")
    return scored


def show_freshness(scored: Scored, health: Health) -> None:
    """Say which version made the amounts, and when another one has gone live since."""
    version = scored.prediction.model_version
    if health.model_version in (None, version):
        st.caption(_("Amounts of version {version}.", version=version))
        return
    st.warning(
        _(
            "These amounts are of version {old}; version {new} is live now. "
            "Predict again to use it.",
            old=version,
            new=health.model_version,
        ),
        icon=":material/update:",
    )


def show_totals(scored: Scored, target: Field) -> None:
    """Show how many clients there are and what their amounts add up to."""
    prediction = scored.prediction
    kept = scored.scored
    with st.container(horizontal=True):
        st.metric(_("Clients"), number(int(kept.sum())), border=True)
        st.metric(
            _("Expected total"),
            amount(float(np.nansum(prediction.expected)), target),
            border=True,
            help=_(
                "Sum of the expected amounts: medians add up to too little "
                "where many amounts stand on a floor."
            ),
        )
        if kept.any():
            st.metric(
                _("Median amount"),
                amount(float(np.nanmedian(prediction.amounts)), target),
                border=True,
                help=_("Half of the clients get more, half less."),
            )
        st.metric(
            _("Unlike the training data"),
            number(int(scored.is_outside.sum())),
            border=True,
            help=_(
                "Clients with a value that the model has not seen: their amounts are less sure."
            ),
        )


def show_distribution(scored: Scored, target: Field) -> None:
    """Draw the predicted amounts beside those of the training data."""
    training = scored.profile.get(target.name)
    amounts = scored.prediction.amounts[scored.scored]
    if not len(amounts):
        return
    low, high = np.quantile(amounts, [0.25, 0.75])
    show(
        amounts_beside_training(amounts, training, target),
        _(
            "Distribution of the predicted amounts; the middle half lies between {low} and {high}.",
            low=amount(float(low), target),
            high=amount(float(high), target),
        ),
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
    """Put row number, amounts and warnings before the file's own columns."""
    prediction, decimals = scored.prediction, amount_decimals(schema().target)
    table = pa.table(
        {
            ROW: np.arange(1, len(prediction.amounts) + 1),
            AMOUNT: prediction.amounts.round(decimals),
            LOWER: prediction.lower.round(decimals),
            UPPER: prediction.upper.round(decimals),
            EXPECTED: prediction.expected.round(decimals),
            OUTSIDE: _outside_names(scored),
        }
    )
    for name in prediction.clients.column_names:
        column = prediction.clients[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        table = table.append_column(name, column)
    return table.filter(pa.array(scored.scored))


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
    if strange.checkbox(
        _("Only those unlike the training data"),
        key="only_outside",
        wrap=True,
        disabled=not scored.is_outside.any(),
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
        AMOUNT: config.NumberColumn(titled(target), format="localized", pinned=True),
        LOWER: config.NumberColumn(_("Low 90 %") + suffix, format="localized"),
        UPPER: config.NumberColumn(_("High 90 %") + suffix, format="localized"),
        EXPECTED: config.NumberColumn(
            _("Expected") + suffix, format="localized", help=_("Totals are made of this one.")
        ),
        OUTSIDE: config.TextColumn(
            _("Unlike the training data"),
            help=_("Columns whose value the model has not seen."),
        ),
    }
    for field in contract.fields:
        titles[field.name] = titled(field)
    return titles

"""The amounts of a file: totals, table, distribution, clients unlike the training data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import streamlit as st

from loanapp.core.answers import ColumnProfile, Health, ModelDetails, Prediction
from loanapp.core.data.profile import out_of_range
from loanapp.core.data.schema import Field
from loanapp.ui.charts.amounts import amounts_beside_training
from loanapp.ui.charts.base import show
from loanapp.ui.components.files import Upload
from loanapp.ui.state import backend, keep, recall, schema
from loanapp.ui.text import _, amount, number


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

"""One or two clients: their amounts, and how an amount moves along each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from loanapp.core.answers import ColumnProfile
from loanapp.core.data.schema import Field
from loanapp.ui.charts.amounts import intervals, sensitivity
from loanapp.ui.charts.base import show
from loanapp.ui.components.forms import Client, read_client, variants, write_client
from loanapp.ui.state import backend, keep, recall
from loanapp.ui.text import _, amount, category, label

PREFIXES = {"a": "", "b": "b."}
ESTIMATES = ("amounts", "lower", "upper", "expected")


@dataclass(frozen=True)
class Simulation:
    """Amounts of the clients and of their variants, from one call.

    Parameters
    ----------
    now
        Columns ``client`` (side), ``amounts``, ``lower``, ``upper``, ``expected``.
    along
        The same for every variant, with ``field`` and ``value``.
    model_version
        The version that made them all.
    """

    now: pd.DataFrame
    along: pd.DataFrame
    model_version: str
    clients: Mapping[str, Client]


def score(
    clients: Mapping[str, Client], fields: Sequence[Field], profile: Mapping[str, ColumnProfile]
) -> Simulation:
    """Score the clients, and the first one with each column changed, in one call."""
    names, records = list(clients), list(clients.values())
    base = records[0]
    changed = [
        (field.name, value, {**base, field.name: value})
        for field in fields
        for value in variants(field, profile.get(field.name))
    ]
    answer = backend().predict_records([*records, *[record for _name, _value, record in changed]])
    estimates = pd.DataFrame({name: getattr(answer, name) for name in ESTIMATES})
    now = estimates.head(len(records)).assign(client=names)
    along = estimates.tail(len(changed)).assign(
        field=[name for name, _value, _record in changed],
        value=[value for _name, value, _record in changed],
    )
    return Simulation(now, along, answer.model_version, clients)


def show_amounts(simulation: Simulation, target: Field) -> None:
    """Show each client's amount with its 90 % interval."""
    names = {"a": _("Client A"), "b": _("Client B")}
    pair = len(simulation.now) > 1
    for place, row in zip(st.columns(2), simulation.now.itertuples(), strict=False):
        name = f"{names[str(row.client)]} · " if pair else ""
        place.metric(
            f"{name}{label(target)}",
            amount(float(row.amounts), target),
            border=True,
            help=_("Half of such clients get more, half less."),
        )
        place.caption(
            _("Nine times in ten between {lower} and {upper} · version {version}",
              lower=amount(float(row.lower), target), upper=amount(float(row.upper), target),
              version=simulation.model_version)
        )  # fmt: skip
    if pair:
        first, second = simulation.now["amounts"]
        st.caption(_("Difference: {amount}", amount=amount(float(second - first), target)))
        data = simulation.now.rename(columns={"amounts": "amount"})
        data = data.assign(client=[names[side] for side in data["client"]])
        show(
            intervals(data[["client", "amount", "lower", "upper"]], target),
            _("Amounts of both clients with their 90 % intervals"),
        )


def show_sensitivity(simulation: Simulation, fields: Sequence[Field], target: Field) -> None:
    """Draw how the first client's amount moves along each column."""
    st.markdown("#### " + _("What the amount depends on"))
    st.caption(_("Each chart changes one column of client A and leaves the rest as it is."))
    now = simulation.now.head(1)
    client = next(iter(simulation.clients.values()))
    grid = st.columns(2)
    drawn = [f for f in fields if (simulation.along["field"] == f.name).any()]
    for place, field in enumerate(sorted(drawn, key=lambda f: -_spread(simulation, f))):
        curve = _named(simulation.along[simulation.along["field"] == field.name], field)
        here = _named(now.assign(value=[client[field.name]]), field)
        with grid[place % 2]:
            show(
                sensitivity(curve, here, field, target),
                _("{target} along {column}: from {low} to {high}",
                  target=label(target), column=label(field),
                  low=amount(float(curve["amount"].min()), target),
                  high=amount(float(curve["amount"].max()), target)),
            )  # fmt: skip


def _spread(simulation: Simulation, field: Field) -> float:
    amounts = simulation.along.loc[simulation.along["field"] == field.name, "amounts"]
    return float(np.ptp(amounts.to_numpy()))


def _named(rows: pd.DataFrame, field: Field) -> pd.DataFrame:
    """Rename to what the chart draws; categories by their names."""
    values = rows["value"] if field.is_numeric else [category(field, v) for v in rows["value"]]
    columns = {"amount": rows["amounts"], "lower": rows["lower"], "upper": rows["upper"]}
    numbers = pd.to_numeric(values) if field.is_numeric else values
    return pd.DataFrame({"x": numbers, **columns})


def open_link(fields: Sequence[Field]) -> None:
    """Take the clients that the address describes, once for each address opened."""
    if recall("link_read"):
        return
    keep("link_read", True)
    parameters = st.query_params.to_dict()
    for side, prefix in PREFIXES.items():
        client = read_client(fields, parameters, prefix)
        if client:
            keep(f"client_{side}", client)
            keep("pair", recall("pair", False) or side == "b")


def write_link(clients: Mapping[str, Client]) -> None:
    """Make the address reproduce the case."""
    parameters: dict[str, str] = {}
    for side, client in clients.items():
        parameters |= write_client(client, PREFIXES[side])
    if st.query_params.to_dict() != parameters:
        st.query_params.from_dict(parameters)

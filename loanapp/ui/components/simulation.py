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
from loanapp.ui.text import _, amount, category, label, plain, signed, titled

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
    clients
        The clients themselves, by side.
    """

    now: pd.DataFrame
    along: pd.DataFrame
    model_version: str
    clients: Mapping[str, Client]

    def of(self, side: str) -> Mapping[str, float]:
        """Estimates of one client."""
        row = self.now[self.now["client"] == side].iloc[0]
        return {name: float(row[name]) for name in ESTIMATES}


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
        value=pd.Series([v for _name, v, _record in changed], dtype=object).to_numpy(),
    )
    return Simulation(now, along, answer.model_version, clients)


def show_amount(simulation: Simulation, side: str, target: Field) -> None:
    """Show one client's amount with its 90 % interval."""
    row = simulation.of(side)
    st.metric(
        label(target),
        amount(row["amounts"], target),
        border=True,
        help=_("Half of such clients get more, half less."),
    )
    st.markdown(
        _(
            "Nine times in ten between **{lower}** and **{upper}**",
            lower=amount(row["lower"], target),
            upper=amount(row["upper"], target),
        )
    )


def show_pair(simulation: Simulation, target: Field) -> None:
    """Put the amounts of two clients on one axis."""
    names = [client_name(side) for side in simulation.clients]
    first, second = (simulation.of(side)["amounts"] for side in simulation.clients)
    data = simulation.now.rename(columns={"amounts": "amount"}).assign(client=names)
    show(
        intervals(data[["client", "amount", "lower", "upper"]], target),
        _("Amounts of both clients with their intervals"),
    )
    st.caption(
        _(
            "Mark: the amount; bar: where it lies nine times in ten. "
            "Client B compared with client A: {difference}.",
            difference=signed(second - first, target),
        )
    )


def client_name(side: str) -> str:
    """Name of a side for the reader."""
    return _("Client A") if side == "a" else _("Client B")


def show_sensitivity(
    simulation: Simulation, fields: Sequence[Field], target: Field, columns: int
) -> None:
    """Draw how the first client's amount moves along each column, the strongest first."""
    st.header(_("What the amount depends on"))
    st.caption(
        _(
            "Each chart changes one value of {client} and leaves the rest as it is. The dot is "
            "the client; in the shade, the amount lies nine times in ten. Version {version}.",
            client=client_name("a") if len(simulation.clients) > 1 else _("the client"),
            version=simulation.model_version,
        )
    )
    client = next(iter(simulation.clients.values()))
    drawn = [f for f in fields if (simulation.along["field"] == f.name).any()]
    span = (float(simulation.along["lower"].min()), float(simulation.along["upper"].max()))
    drawn.sort(key=lambda field: -_spread(simulation, field))
    for start in range(0, len(drawn), columns):
        for place, field in zip(st.columns(columns), drawn[start : start + columns], strict=False):
            with place:
                st.markdown(f"**{plain(titled(field))}**")
                _show_along(simulation, client, field, target, span)


def _show_along(
    simulation: Simulation, client: Client, field: Field, target: Field, span: tuple[float, float]
) -> None:
    """Draw how the client's amount moves along one column."""
    curve = _named(simulation.along[simulation.along["field"] == field.name], field)
    value = pd.Series([client[field.name]], dtype=object).to_numpy()
    here = _named(simulation.now.head(1).assign(value=value), field)
    show(
        sensitivity(curve, here, field, target, span),
        _(
            "{target} along {column}: from {low} to {high}",
            target=label(target),
            column=label(field),
            low=amount(float(curve["amount"].min()), target),
            high=amount(float(curve["amount"].max()), target),
        ),
    )


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

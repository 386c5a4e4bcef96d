"""Simulate: one client by form, its amount as the form changes, a second client beside it."""

import streamlit as st

from loanapp.ui.components.forms import client_form, explain_form
from loanapp.ui.components.simulation import (
    open_link,
    score,
    show_amounts,
    show_sensitivity,
    write_link,
)
from loanapp.ui.components.status import champion, require_model
from loanapp.ui.state import keep, recall, schema
from loanapp.ui.text import _

st.title(_("Simulate a client"))
details = champion(require_model())
if details is None:
    st.stop()
contract = schema()
fields = contract.features(details.model.features)
profile = {column.name: column for column in details.profile}
open_link(fields)

with st.container(horizontal=True):
    pair = st.toggle(_("Two clients side by side"), recall("pair", False), key="pair")
    exact = st.toggle(_("Type exact values"), recall("exact", False), key="exact")
keep("pair", pair)
keep("exact", exact)
sides = ("a", "b") if pair else ("a",)
amounts = st.container()
columns = st.columns(2)
clients = {}
for side, column in zip(sides, columns, strict=False):
    with column:
        if pair:
            st.markdown("#### " + (_("Client A") if side == "a" else _("Client B")))
        clients[side] = client_form(side, fields, profile, exact=exact)
write_link(clients)
simulation = score(clients, fields, profile)
with amounts:
    show_amounts(simulation, contract.target)
with columns[1] if not pair else st.container():
    show_sensitivity(simulation, fields, contract.target)
st.caption(explain_form())

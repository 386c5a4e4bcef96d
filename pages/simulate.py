"""Simulate: one client by form, its amount as the form changes, a second client beside it."""

import streamlit as st

from loanapp.ui.components.forms import ask_mode, client_form
from loanapp.ui.components.simulation import (
    client_name,
    open_link,
    score,
    show_amount,
    show_pair,
    show_sensitivity,
    write_link,
)
from loanapp.ui.components.status import champion, require_model
from loanapp.ui.guard import end_page
from loanapp.ui.state import schema
from loanapp.ui.text import _

st.title(_("Simulate a client"))
details = champion(require_model())
if details is None:
    end_page()
contract = schema()
fields = contract.features(details.model.features)
profile = {column.name: column for column in details.profile}
open_link(fields)
pair, exact = ask_mode()

summary = st.container()
columns = st.columns(2 if pair else [1, 2], gap="medium")
clients, results = {}, {}
for side, column in zip("ab" if pair else "a", columns, strict=False):
    with column:
        if pair:
            st.header(client_name(side))
        results[side] = st.container(key=f"result_{side}")
        clients[side] = client_form(side, fields, profile, exact=exact)
write_link(clients)
simulation = score(clients, fields, profile)
for side, result in results.items():
    with result:
        show_amount(simulation, side, contract.target)
if pair:
    with summary:
        show_pair(simulation, contract.target)
with st.container() if pair else columns[1]:
    show_sensitivity(simulation, fields, contract.target, columns=3 if pair else 2)

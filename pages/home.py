"""Home: which model serves, how good it is, and the next step."""

import streamlit as st

from loanapp.ui.components.overview import (
    first_steps,
    next_step,
    show_champion,
    show_progress_over_time,
)
from loanapp.ui.components.status import champion, show_reload_error
from loanapp.ui.guard import end_page
from loanapp.ui.state import backend, schema
from loanapp.ui.text import _

st.title(_("Loan amounts"))
health = backend().health()
show_reload_error(health)
details = champion(health)
if details is None:
    first_steps()
    end_page()

target = schema().target
show_champion(health, details, target)
next_step()
show_progress_over_time(target)

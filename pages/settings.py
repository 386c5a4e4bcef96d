"""Settings: language, service, and what the operator has set, each explained."""

import streamlit as st

from loanapp.ui.components.connection import choose_connection
from loanapp.ui.components.frame import choose_language
from loanapp.ui.components.limits import show_limits, show_policy, show_versions
from loanapp.ui.text import _

st.title(_("Settings"))
st.header(_("Language"))
st.caption(_("Texts, numbers, dates and amounts follow it."))
choose_language("page")
st.header(_("Service"))
choose_connection()
st.header(_("Columns that feed the model"))
show_policy()
st.header(_("Limits"))
show_limits()
st.header(_("About"))
show_versions()

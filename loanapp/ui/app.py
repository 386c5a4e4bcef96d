"""The application: language, navigation, and the page that was asked for."""

from __future__ import annotations

import streamlit as st

from loanapp.ui.components.frame import dress_page, show_sidebar
from loanapp.ui.components.sign_in import sign_in
from loanapp.ui.guard import guard
from loanapp.ui.navigation import ENTRY, pages

st.set_page_config(page_title="Loanapp", page_icon=str(ENTRY.with_name("icon.png")), layout="wide")
st.logo(str(ENTRY.with_name("logo.svg")), icon_image=str(ENTRY.with_name("icon.png")), size="large")
dress_page()
sign_in()
page = st.navigation(pages())
with guard():
    show_sidebar()
with guard():
    page.run()

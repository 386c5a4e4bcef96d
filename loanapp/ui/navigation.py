"""Which pages there are, and where their scripts stand: in a checkout or in an installed wheel."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from loanapp.ui.access import may_open
from loanapp.ui.text import _

PACKAGE = Path(__file__).resolve().parent.parent
ENTRY = PACKAGE / "ui" / "app.py"


def pages_folder() -> Path:
    """Folder of the page scripts: inside the package when installed, beside it in a checkout."""
    installed = PACKAGE / "pages"
    return installed if installed.is_dir() else PACKAGE.parent / "pages"


def page_path(name: str) -> Path:
    """Script of a page."""
    return pages_folder() / f"{name}.py"


def pages() -> list[st.Page]:
    """The pages that the reader may open, in their language; addresses are the same in all."""
    titles = {
        "home": (_("Home"), ":material/home:"),
        "train": (_("Train"), ":material/model_training:"),
        "predict": (_("Predict"), ":material/table_chart:"),
        "simulate": (_("Simulate"), ":material/tune:"),
        "models": (_("Models"), ":material/inventory_2:"),
        "settings": (_("Settings"), ":material/settings:"),
    }
    return [
        st.Page(page_path(name), title=title, icon=icon, url_path=name, default=name == "home")
        for name, (title, icon) in titles.items()
        if may_open(name)
    ]

"""The file back with its amounts, and the refused rows with their reasons."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import PurePath

import pyarrow as pa
import streamlit as st

from loanapp.core.answers import Prediction
from loanapp.core.data.export import SHEET_ROWS, rejected_table, write_table
from loanapp.core.transfer import with_amounts
from loanapp.i18n import translator
from loanapp.ui.state import language
from loanapp.ui.text import _, number

MIMES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}


def offer_downloads(prediction: Prediction, file_name: str) -> None:
    """Offer the file with the amounts added, in four forms; each is made when it is clicked."""
    stem, word = PurePath(file_name).stem or "loanapp", _("amounts")
    forms = [
        ("csv", False, _("CSV"), ":material/csv:"),
        ("csv", True, _("CSV for Excel in French"), ":material/table_view:"),
        ("xlsx", False, _("Excel"), ":material/table:"),
        ("parquet", False, _("Parquet"), ":material/database:"),
    ]
    if language() == "fr":
        forms[0], forms[1] = forms[1], forms[0]
    with st.container(horizontal=True, vertical_alignment="center", key="downloads"):
        st.markdown("**" + _("Download the file with the amounts") + "**")
        for kind, french, text, icon in forms:
            suffix = "_excel" if french else ""
            st.download_button(
                text,
                _written(lambda: with_amounts(prediction, interval=True), kind, excel=french),
                f"{stem}_{word}{suffix}.{kind}",
                MIMES[kind],
                key=f"download_{kind}{suffix}",
                icon=icon,
                on_click="ignore",
                disabled=kind == "xlsx" and len(prediction.amounts) > SHEET_ROWS,
            )


def offer_rejected(prediction: Prediction) -> None:
    """Offer the refused rows with their reasons, where some were left out."""
    rejected = prediction.rejected
    if rejected is None or not rejected.rows:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(
            _("Refused rows left out: {n}.", n=number(rejected.rows)),
            icon=":material/filter_alt_off:",
        )
        french = language() == "fr"
        speak, titles = translator(language()), (_("Line"), _("Reason"))
        st.download_button(
            _("Download the refused rows"),
            _written(lambda: rejected_table(rejected, speak, titles), "csv", excel=french),
            _("refused rows") + ".csv",
            MIMES["csv"],
            key="download_rejected",
            icon=":material/download:",
            on_click="ignore",
        )


def _written(make: Callable[[], pa.Table], kind: str, *, excel: bool) -> Callable[[], bytes]:
    """Give what writes a file when it is asked for: the page does not wait for it."""

    def write() -> bytes:
        sink = io.BytesIO()
        write_table(make(), sink, kind, excel=excel)
        return sink.getvalue()

    return write

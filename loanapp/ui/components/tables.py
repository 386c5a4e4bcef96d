"""Small tables for reading: real text that wraps, prints and is read aloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

ROWS_SHOWN = 8
SCROLLED_PX = 420


def show_texts(
    columns: Mapping[str, Sequence[str]], alternative: str, *, rows_shown: int | None = None
) -> None:
    """Show columns of texts, which may hold Markdown.

    Parameters
    ----------
    columns
        Texts by title.
    alternative
        What the table is, for a reader who cannot see it.
    rows_shown
        Beyond so many rows the table scrolls; None: it never does.
    """
    frame = pd.DataFrame(columns)
    scrolls = rows_shown is not None and len(frame) > rows_shown
    st.table(
        frame,
        border="horizontal",
        hide_index=True,
        height=SCROLLED_PX if scrolls else "content",
        alt=alternative,
    )

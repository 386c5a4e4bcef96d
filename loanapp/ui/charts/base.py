"""What all the charts share: number format, greys that print, the accessible name."""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from loanapp.ui.state import language

Drawing = alt.Chart | alt.LayerChart | alt.FacetChart
HEIGHT = 280
SOLID: list[int] = [1, 0]
DASHED: list[int] = [6, 4]
DOTTED: list[int] = [2, 3]
ACCENT, CONTRAST, MUTED = "#3f8db5", "#c9731a", "#8a8f98"

_NUMBERS: dict[str, dict[str, Any]] = {
    "fr": {
        "decimal": ",",
        "thousands": "\N{NARROW NO-BREAK SPACE}",
        "grouping": [3],
        "currency": ["", "\N{NO-BREAK SPACE}€"],
        "percent": "\N{NO-BREAK SPACE}%",
    },
    "en": {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["€", ""]},
}
_MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}
_DAYS = {
    "fr": "dimanche lundi mardi mercredi jeudi vendredi samedi",
    "en": "Sunday Monday Tuesday Wednesday Thursday Friday Saturday",
}


def show(chart: Drawing, alternative: str, *, key: str | None = None) -> None:
    """Draw a chart in the reader's number format, with the sentence that replaces it.

    Parameters
    ----------
    chart
        The chart.
    alternative
        What a reader who cannot see it should know.
    """
    chart = chart.configure(locale=_locale()).configure_axis(grid=True, titleFontWeight="normal")
    st.altair_chart(chart, width="stretch", key=key, alt=alternative)


def _locale() -> dict[str, Any]:
    reader = language()
    months, days = _MONTHS[reader].split(), _DAYS[reader].split()
    time = {
        "dateTime": "%A %e %B %Y, %H:%M",
        "date": "%d/%m/%Y",
        "time": "%H:%M:%S",
        "periods": ["AM", "PM"],
        "days": days,
        "shortDays": [day[:3] for day in days],
        "months": months,
        "shortMonths": [month[:4] if reader == "fr" else month[:3] for month in months],
    }
    return {"number": _NUMBERS[reader], "time": time}

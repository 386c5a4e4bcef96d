"""Texts and values in the language of the session that is running."""

from __future__ import annotations

import re
from datetime import datetime

import streamlit as st

from loanapp.core.data.schema import Field
from loanapp.core.errors import Message, message
from loanapp.i18n import format_amount, format_moment, format_number, translate
from loanapp.ui.state import language

NBSP = "\N{NO-BREAK SPACE}"
LARGE = 100


def _(template: str, **values: object) -> str:
    """Translate a sentence and fill its gaps."""
    return translate(message(template, **values), language())


def say(text: Message | str) -> str:
    """Translate a message of the core's."""
    return translate(text, language())


def amount(value: float, field: Field) -> str:
    """Write an amount of a column, with its unit."""
    decimals = amount_decimals(field)
    if decimals == 0:
        return format_amount(value, unit(field), language())
    return f"{number(value, decimals)}{NBSP}{unit(field) or ''}".strip()


def signed(value: float, field: Field) -> str:
    """Write a difference of amounts with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{amount(abs(value), field)}"


def amount_decimals(field: Field) -> int:
    """How many decimals an amount is shown with: none where cents say nothing."""
    low, high = field.usual_range
    return 0 if high - low >= LARGE else 2


def number(value: float, decimals: int = 0) -> str:
    """Write a number with at most so many decimals."""
    return format_number(value, language(), decimals=decimals)


def percent(share: float, decimals: int = 0) -> str:
    """Write a share (0 to 1) as a percentage."""
    space = NBSP if language() == "fr" else ""
    return f"{number(100 * share, decimals)}{space}%"


def moment(value: datetime) -> str:
    """Write a date and a time."""
    return format_moment(value, language(), st.context.timezone)


def duration(seconds: float) -> str:
    """Write a duration in the unit that suits it."""
    if seconds < 90:
        return _("{n} s", n=round(seconds))
    return _("{n} min", n=round(seconds / 60))


def size(n_bytes: int) -> str:
    """Write the size of a file."""
    if n_bytes < 1_000_000:
        return _("{n} kB", n=max(1, round(n_bytes / 1000)))
    return _("{n} MB", n=round(n_bytes / 1_000_000, 1))


def unit(field: Field) -> str | None:
    """Unit of a column, as the reader writes it."""
    return say(field.unit) if field.unit else None


def label(field: Field) -> str:
    """Name of a column for the reader."""
    return field.label(language())


def titled(field: Field) -> str:
    """Name of a column with its unit: titles of axes, labels of widgets."""
    return f"{label(field)} ({unit(field)})" if field.unit else label(field)


def category(field: Field, value: object) -> str:
    """Name of a category for the reader."""
    return field.category_label(str(value), language())


def plain(text: str) -> str:
    """Keep words that are not ours, such as a file's, from being read as Markdown."""
    return _MARKS.sub(r"\\\g<0>", text)


# An underscore within a word means nothing to Markdown: names of columns stay as they are.
_MARKS = re.compile(r"[\\`*\[\]$:<>~|#]|(?<!\w)_|_(?!\w)")

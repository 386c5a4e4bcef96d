"""Errors as a reader sees them: one sentence that says what to do, never a traceback.

A page that has no more to show ends with `end_page`, not with `st.stop`: after that Streamlit
takes the run for a broken one and keeps the values of widgets that are gone, such as a file that
was put back.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, ParamSpec, TypeVar

import streamlit as st

from loanapp.core.errors import (
    InvalidTable,
    LoanappError,
    NoModel,
    RemoteUnavailable,
    StoreUnavailable,
)
from loanapp.ui.components.reports import show_problems
from loanapp.ui.text import _, say

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


class PageEnd(Exception):
    """The page has no more to show."""


def end_page() -> NoReturn:
    """Leave the rest of the page away."""
    raise PageEnd


@contextmanager
def guard() -> Iterator[None]:
    """Show what goes wrong inside as a sentence; a bug is logged and answered calmly."""
    try:
        yield
    except PageEnd:
        pass
    except LoanappError as error:
        show_error(error)
    except Exception:
        logger.exception("a page failed")
        st.error(
            _("Something unexpected happened, and it was written to the log.")
            + " "
            + _("Your files and models are safe: reload the page to go on."),
            icon=":material/error:",
        )


def guarded(function: Callable[P, R]) -> Callable[P, R | None]:
    """Put a fragment under `guard`: a fragment runs again without the page around it."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R | None:
        with guard():
            return function(*args, **kwargs)
        return None

    return run


def show_error(error: LoanappError) -> None:
    """Show an error of the core: its sentence, the next step, its problems by line."""
    sentence, step = say(error.message), _next_step(error)
    st.error(f"{sentence} {step}".strip(), icon=":material/error:")
    if isinstance(error, InvalidTable):
        show_problems(error.report)


def _next_step(error: LoanappError) -> str:
    if isinstance(error, NoModel):
        return _("Train one on the page “Train”.")
    if isinstance(error, RemoteUnavailable):
        return _("Check the address on the page “Settings”, or use the embedded service.")
    if isinstance(error, StoreUnavailable):
        return _("Predictions go on; try again in a moment.")
    return ""

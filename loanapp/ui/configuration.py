"""Streamlit's own options, wherever the application was started from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
PLACES = (
    PACKAGE / "ui" / ".streamlit" / "config.toml",
    PACKAGE.parent / ".streamlit" / "config.toml",
)


def configure_streamlit() -> None:
    """Set the theme and the other options; what an operator has set himself stays.

    Streamlit looks for its file in the working directory alone, which is the data's.
    """
    from streamlit import config

    for name, value in _options():
        if not config.is_manually_set(name):
            config.set_option(name, value, "loanapp")


def _options() -> Iterator[tuple[str, Any]]:
    """The options of the file that comes with the application, by their full names."""
    file = next((place for place in PLACES if place.is_file()), None)
    if file is not None:
        yield from _flat(tomllib.loads(file.read_text("utf-8")), "")


def _flat(section: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

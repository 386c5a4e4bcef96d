"""One client by form, made from the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from loanapp.core.answers import ColumnProfile
from loanapp.core.data.schema import Field
from loanapp.ui.state import keep, language, recall
from loanapp.ui.text import _, category, titled

Client = Mapping[str, object]
STEPS = 100
GRID = 15


def default_client(
    fields: Sequence[Field], profile: Mapping[str, ColumnProfile]
) -> dict[str, object]:
    """A client to start from: the middle of the training data."""
    return {field.name: _typical(field, profile.get(field.name)) for field in fields}


def _typical(field: Field, seen: ColumnProfile | None) -> object:
    """The median, or the most frequent category; without data, what the contract says."""
    if seen and sum(seen.counts):
        if seen.categories:
            return seen.categories[int(np.argmax(seen.counts))]
        share = np.cumsum([0, *seen.counts]) / sum(seen.counts)
        return _rounded(field, float(np.interp(0.5, share, seen.edges)), 0 if _wide(field) else 1)
    if field.is_numeric:
        return _rounded(field, sum(field.usual_range) / 2)
    return field.enum[0] if field.enum else str(field.example or "")


def _wide(field: Field) -> bool:
    low, high = field.usual_range
    return high - low >= 10 * STEPS


def ask_mode() -> tuple[bool, bool]:
    """Ask whether two clients are wanted, and number fields in place of sliders."""
    with st.container(horizontal=True):
        pair = st.toggle(_("Two clients side by side"), recall("pair", False), key="pair")
        exact = st.toggle(_("Type exact values"), recall("exact", False), key="exact")
    st.caption(_("The address of this page reproduces the case: copy it to share it."))
    keep("pair", pair)
    keep("exact", exact)
    return pair, exact


def client_form(
    side: str, fields: Sequence[Field], profile: Mapping[str, ColumnProfile], *, exact: bool
) -> dict[str, object]:
    """Draw the form of one client and give the client as it stands.

    Parameters
    ----------
    side
        Which client: keeps the widgets of two forms apart.
    fields
        The columns that feed the model.
    profile
        How the columns are distributed in the training data: it widens the sliders.
    exact
        Number fields in place of sliders.
    """
    client = default_client(fields, profile) | (recall(f"client_{side}") or {})
    for field in fields:
        client[field.name] = _ask(side, field, client, profile.get(field.name), exact=exact)
    keep(f"client_{side}", client)
    return {field.name: client[field.name] for field in fields}


def _ask(
    side: str, field: Field, client: Client, seen: ColumnProfile | None, *, exact: bool
) -> object:
    key = f"{side}_{field.name}"
    value = client[field.name]
    about = field.describe(language()) or None
    if field.enum:
        options = list(field.enum)
        names = {option: category(field, option) for option in options}
        index = options.index(str(value)) if str(value) in options else 0
        return st.selectbox(
            titled(field),
            options,
            index,
            format_func=names.__getitem__,
            key=key,
            help=about,
        )
    if not field.is_numeric:
        return st.text_input(titled(field), str(value), key=key, help=about)
    if exact:
        return _ask_number(f"{key}_exact", field, float(str(value)), about)
    return _ask_slider(key, field, float(str(value)), slider_range(field, seen), about)


def _ask_number(key: str, field: Field, value: float, about: str | None) -> float | int:
    whole = field.type == "integer"
    kind: type[int] | type[float] = int if whole else float
    answer = st.number_input(
        titled(field),
        min_value=None if field.minimum is None else kind(field.minimum),
        max_value=None if field.maximum is None else kind(field.maximum),
        value=kind(value),
        step=1 if whole else None,
        format="%d" if whole else "%.1f",
        key=key,
        help=about,
    )
    return kind(answer)


def _ask_slider(
    key: str, field: Field, value: float, bounds: tuple[float, float], about: str | None
) -> float | int:
    low, high = min(bounds[0], value), max(bounds[1], value)
    if field.type == "integer":
        return int(
            st.slider(
                titled(field),
                int(low),
                int(high),
                int(value),
                1,
                format="localized",
                key=key,
                help=about,
            )
        )
    step = _step(high - low)
    return float(
        st.slider(
            titled(field),
            float(low),
            float(high),
            float(value),
            step,
            format="localized",
            key=key,
            help=about,
        )
    )


def slider_range(field: Field, seen: ColumnProfile | None) -> tuple[float, float]:
    """The usual range, widened to what the training data had, within what the contract allows."""
    low, high = field.usual_range
    if seen and seen.minimum is not None and seen.maximum is not None:
        low, high = min(low, seen.minimum), max(high, seen.maximum)
    low = low if field.minimum is None else max(low, field.minimum)
    high = high if field.maximum is None else min(high, field.maximum)
    return float(np.floor(low)), float(np.ceil(high))


def variants(field: Field, seen: ColumnProfile | None) -> list[object]:
    """The values of a column along which an amount is drawn."""
    if field.enum:
        return list(field.enum)
    if not field.is_numeric:
        return []
    low, high = slider_range(field, seen)
    return list(dict.fromkeys(_rounded(field, value) for value in np.linspace(low, high, GRID)))


def read_client(
    fields: Sequence[Field], parameters: Mapping[str, str], prefix: str
) -> dict[str, object]:
    """Read what a link says of a client; what the contract does not allow is left out."""
    values = {
        field.name: _parse(field, parameters[prefix + field.name])
        for field in fields
        if prefix + field.name in parameters
    }
    return {name: value for name, value in values.items() if value is not None}


def write_client(client: Client, prefix: str) -> dict[str, str]:
    """Write a client as a link's parameters."""
    return {prefix + name: str(value) for name, value in client.items()}


def _parse(field: Field, text: str) -> object:
    if field.enum:
        return text if text in field.enum else None
    if not field.is_numeric:
        return text
    try:
        value = float(text)
    except ValueError:
        return None
    low = -np.inf if field.minimum is None else field.minimum
    high = np.inf if field.maximum is None else field.maximum
    return _rounded(field, value) if low <= value <= high and np.isfinite(value) else None


def _rounded(field: Field, value: float, decimals: int = 2) -> object:
    return round(value) if field.type == "integer" else round(float(value), decimals)


def _step(span: float) -> float:
    """A round step that divides the span into about a hundred."""
    power = 10.0 ** np.floor(np.log10(max(span, 1e-6) / STEPS))
    return float(power)

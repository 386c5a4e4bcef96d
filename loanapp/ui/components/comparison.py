"""Two versions side by side: where they come from and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import streamlit as st

from loanapp.core.answers import ModelVersion
from loanapp.core.data.schema import Field
from loanapp.ui.components.choices import policy_name
from loanapp.ui.components.metrics import METRICS, write_difference, write_metric
from loanapp.ui.components.tables import show_texts
from loanapp.ui.state import keep, recall
from loanapp.ui.text import _, moment, number, plain


def compare_two(models: Sequence[ModelVersion], target: Field) -> None:
    """Let the reader put two versions side by side."""
    by_version = {m.version: m for m in models}
    names = list(by_version)
    left, right = st.columns(2)
    first = choose_name(left, _("First version"), names, "compare_first", names[0])
    second = choose_name(right, _("Second version"), names, "compare_second", names[1])
    if first == second:
        st.caption(_("Choose two different versions."))
        return
    _show_pair(by_version[first], by_version[second], target)
    if by_version[first].data_hash != by_version[second].data_hash:
        st.caption(
            _(
                "Each version is measured on its own held-out rows: figures on different files "
                "say less than the comparison made while training."
            )
        )


def _show_pair(first: ModelVersion, second: ModelVersion, target: Field) -> None:
    facts: dict[str, Callable[[ModelVersion], str]] = {
        _("Trained on"): lambda m: moment(m.created_at),
        _("File"): lambda m: plain(m.file_name or "—"),
        _("Rows"): lambda m: "—" if m.rows is None else number(m.rows),
        _("Columns"): lambda m: policy_name(m.features),
        _("Author"): lambda m: plain(m.author or "—"),
    }
    one, two = first.metrics, second.metrics
    columns = {
        _("Compared"): [*facts, *METRICS],
        _("Version {version}", version=first.version): [
            *(write(first) for write in facts.values()),
            *(write_metric(name, one, target) for name in METRICS),
        ],
        _("Version {version}", version=second.version): [
            *(write(second) for write in facts.values()),
            *(write_metric(name, two, target) for name in METRICS),
        ],
        _("Difference"): [
            *("" for _fact in facts),
            *(write_difference(name, one, two, target) for name in METRICS),
        ],
    }
    show_texts(columns, _("Metrics of two versions side by side"))


def choose_name(
    place: Any,
    text: str,
    names: list[str],
    key: str,
    default: str,
    *,
    width: Literal["stretch"] | int = "stretch",
) -> str:
    """Let the reader choose a version, and remember which."""
    kept = recall(key, default)
    index = names.index(kept) if kept in names else names.index(default)
    choice: str = place.selectbox(text, names, index, key=key, width=width)
    keep(key, choice)
    return choice

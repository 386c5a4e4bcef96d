"""Pictures of amounts and columns: how they are distributed, how one client's amount moves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from loanapp.core.answers import ColumnProfile
from loanapp.core.data.schema import Field
from loanapp.ui.charts.base import ACCENT, CONTRAST, HEIGHT, Drawing
from loanapp.ui.text import NBSP, _, category, titled, unit

SMALL, COMPACT = 130, 150
BINS = 24
NAMES: dict[str, Any] = {"labelLimit": 150, "labelOverlap": False}


def amounts_beside_training(
    amounts: npt.NDArray[np.float64], training: ColumnProfile | None, target: Field
) -> Drawing:
    """Share of the clients by predicted amount (bars), beside the training data's (line)."""
    edges = np.asarray(training.edges if training and training.edges else _edges(amounts))
    counts = np.histogram(np.clip(amounts, edges[0], edges[-1]), edges)[0]
    return _histograms(edges, counts, _("These clients"), training, target)


def column_beside_training(
    column: ColumnProfile, training: ColumnProfile | None, field: Field
) -> Drawing:
    """How a column of the file is distributed (bars), beside the champion's training data."""
    if column.edges:
        edges, counts = _on_edges_of(column, training)
        return _histograms(edges, counts, _("This file"), training, field, small=True)
    return _categories(column, training, field)


def _histograms(
    edges: npt.NDArray[np.float64],
    counts: Sequence[int] | npt.NDArray[np.generic],
    name: str,
    training: ColumnProfile | None,
    field: Field,
    *,
    small: bool = False,
) -> Drawing:
    known = bool(training and training.edges and sum(training.counts))
    colour = _colour([name, _("Training data")] if known else [name], small=small or not known)
    x = alt.X(
        "low:Q",
        title=None if small else titled(field),
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(format=",~f", tickCount=5, labelFlush=True),
    )
    y = alt.Y(
        "share:Q",
        title=None if small else _("Share of the rows"),
        axis=alt.Axis(format=".0%", tickCount=4),
    )
    tips: list[Any] = [
        alt.Tooltip("which:N", title=_("Data")),
        alt.Tooltip("low:Q", title=_("From"), format=",.0f"),
        alt.Tooltip("high:Q", title=_("To"), format=",.0f"),
        alt.Tooltip("share:Q", title=_("Share of the rows"), format=".1%"),
    ]
    layers: list[alt.Chart] = [
        alt.Chart(_density(edges, counts, name), height=SMALL if small else HEIGHT)
        .mark_bar(opacity=0.7, binSpacing=1)
        .encode(x=x, x2="high:Q", y=y, y2=alt.datum(0), color=colour, tooltip=tips)
    ]
    if training and known:
        line = _density(np.asarray(training.edges), training.counts, _("Training data"))
        line = pd.concat([line, line.tail(1).assign(low=line["high"].iloc[-1])])
        layers.append(
            alt.Chart(line)
            .mark_line(interpolate="step-after", strokeWidth=2)
            .encode(x="low:Q", y="share:Q", color=colour)
        )
    return alt.layer(*layers)


def _colour(names: Sequence[str], *, small: bool) -> alt.Color:
    """Colours of the file and of the training data; a small chart leaves the legend away."""
    return alt.Color(
        "which:N",
        title=None,
        sort=list(names),
        scale=alt.Scale(domain=list(names), range=[ACCENT, CONTRAST][: len(names)]),
        legend=None if small else alt.Legend(orient="top"),
    )


def _categories(column: ColumnProfile, training: ColumnProfile | None, field: Field) -> Drawing:
    names = [_("This file"), _("Training data")]
    frames = [_shares(column, field, names[0])]
    if training and sum(training.counts):
        frames.append(_shares(training, field, names[1]))
    data = pd.concat(frames)
    order = list(dict.fromkeys(data["category"]))
    base = alt.Chart(data, height=max(SMALL, 24 * len(order))).encode(
        y=alt.Y("category:N", title=None, sort=order, axis=alt.Axis(**NAMES)),
        x=alt.X("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4)),
        color=_colour(names, small=True),
        tooltip=[
            alt.Tooltip("which:N", title=_("Data")),
            alt.Tooltip("category:N", title=titled(field)),
            alt.Tooltip("share:Q", title=_("Share of the rows"), format=".1%"),
        ],
    )
    bars = base.transform_filter(alt.datum.which == names[0]).mark_bar(opacity=0.7)
    ticks = base.transform_filter(alt.datum.which != names[0]).mark_tick(thickness=3)
    return alt.layer(bars, ticks)


def sensitivity(
    curve: pd.DataFrame,
    here: pd.DataFrame,
    field: Field,
    target: Field,
    span: tuple[float, float],
) -> Drawing:
    """How one client's amount moves along one column, the rest unchanged.

    Parameters
    ----------
    curve
        Columns ``x``, ``amount``, ``lower``, ``upper``: amounts in the target's unit.
    here
        The same columns, one row: the client as it is.
    span
        Lowest and highest amount drawn: the same on charts that are compared.
    """
    scale = alt.Scale(domain=list(span), nice=True)
    if field.is_numeric:
        return _along_number(curve, here, field, target, scale)
    return _along_categories(curve, here, field, target, scale)


def _along_number(
    curve: pd.DataFrame, here: pd.DataFrame, field: Field, target: Field, scale: alt.Scale
) -> Drawing:
    x = alt.X(
        "x:Q",
        title=None,
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(tickCount=5, labelFlush=True),
    )
    y = alt.Y("amount:Q", title=None, scale=scale, axis=_amount_axis(target))
    tips = _tips(field, target)
    base = alt.Chart(curve, height=COMPACT)
    band = base.mark_area(opacity=0.22, color=ACCENT).encode(x=x, y="lower:Q", y2="upper:Q")
    line = base.mark_line(color=ACCENT).encode(x=x, y=y, tooltip=tips)
    point = _here(here).encode(x="x:Q", y="amount:Q", tooltip=tips)
    return alt.layer(band, line, point)


def _along_categories(
    curve: pd.DataFrame, here: pd.DataFrame, field: Field, target: Field, scale: alt.Scale
) -> Drawing:
    y = alt.Y("x:N", title=None, sort=list(curve["x"]), axis=alt.Axis(**NAMES))
    x = alt.X("lower:Q", title=None, scale=scale, axis=_amount_axis(target))
    tips = _tips(field, target)
    base = alt.Chart(curve, height=max(COMPACT, 24 * len(curve)))
    band = base.mark_bar(height=9, color=ACCENT, opacity=0.3).encode(y=y, x=x, x2="upper:Q")
    tick = base.mark_tick(color=ACCENT, thickness=3, size=14).encode(
        y=y, x="amount:Q", tooltip=tips
    )
    point = _here(here).encode(y=y, x="amount:Q", tooltip=tips)
    return alt.layer(band, tick, point)


def _amount_axis(target: Field) -> alt.Axis:
    """Ticks with the unit beside each: a small chart has no room for a title."""
    suffix = json.dumps(f"{NBSP}{unit(target)}" if target.unit else "")
    return alt.Axis(tickCount=3, labelExpr=f"format(datum.value, ',.0f') + {suffix}")


def _here(here: pd.DataFrame) -> alt.Chart:
    point: alt.Chart = alt.Chart(here).mark_point(color=CONTRAST, filled=True, size=90, opacity=1)
    return point


def _tips(field: Field, target: Field) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("x", title=titled(field)),
        alt.Tooltip("lower:Q", title=_("Low end"), format=",.0f"),
        alt.Tooltip("amount:Q", title=titled(target), format=",.0f"),
        alt.Tooltip("upper:Q", title=_("High end"), format=",.0f"),
    ]


def intervals(data: pd.DataFrame, target: Field) -> Drawing:
    """Amounts of a few clients with their 90 % intervals, one under the other.

    Parameters
    ----------
    data
        Columns ``client``, ``amount``, ``lower``, ``upper``: amounts in the target's unit.
    """
    y = alt.Y("client:N", title=None, sort=list(data["client"]))
    x = alt.X("lower:Q", title=titled(target), axis=alt.Axis(format=",.0f", tickCount=6))
    base = alt.Chart(data, height=34 * len(data) + 60)
    bars = base.mark_bar(height=14, color=ACCENT, opacity=0.35).encode(y=y, x=x, x2="upper:Q")
    ticks = base.mark_tick(thickness=4, size=26, color=ACCENT).encode(
        y=y,
        x="amount:Q",
        tooltip=[alt.Tooltip(f"{name}:Q", format=",.0f") for name in ("lower", "amount", "upper")],
    )
    return alt.layer(bars, ticks)


def _on_edges_of(
    column: ColumnProfile, training: ColumnProfile | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Count a column on the bins of the training data: shares compare on equal bins alone."""
    edges, counts = np.asarray(column.edges), np.asarray(column.counts, float)
    if training is None or not training.edges or training.edges == column.edges:
        return edges, counts
    target = np.asarray(training.edges)
    below = np.interp(target, edges, np.concatenate([[0.0], np.cumsum(counts)]))
    below[0], below[-1] = 0.0, counts.sum()
    return target, np.diff(below)


def _edges(amounts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.histogram_bin_edges(amounts, BINS)


def _density(
    edges: npt.NDArray[np.float64], counts: Sequence[int] | npt.NDArray[np.generic], name: str
) -> pd.DataFrame:
    total = max(1, int(np.sum(counts)))
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "share": np.asarray(counts) / total, "which": name}
    )


def _shares(column: ColumnProfile, field: Field, name: str) -> pd.DataFrame:
    total = max(1, sum(column.counts))
    return pd.DataFrame(
        {
            "category": [category(field, value) for value in column.categories],
            "share": [count / total for count in column.counts],
            "which": name,
        }
    )

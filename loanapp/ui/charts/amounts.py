"""Pictures of amounts and columns: how they are distributed, how one client's amount moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from loanapp.core.answers import ColumnProfile
from loanapp.core.data.schema import Field
from loanapp.ui.charts.base import ACCENT, CONTRAST, HEIGHT
from loanapp.ui.text import _, category, titled

SMALL = 150
BINS = 24


def amounts_beside_training(
    amounts: npt.NDArray[np.float64], training: ColumnProfile | None, target: Field
) -> alt.LayerChart:
    """Share of the clients by predicted amount (bars), beside the training data's (line)."""
    edges = np.asarray(training.edges if training and training.edges else _edges(amounts))
    counts = np.histogram(np.clip(amounts, edges[0], edges[-1]), edges)[0]
    return _histograms(edges, counts, _("These clients"), training, target, HEIGHT)


def column_beside_training(
    column: ColumnProfile, training: ColumnProfile | None, field: Field
) -> alt.LayerChart:
    """How a column of the file is distributed (bars), beside the champion's training data."""
    if column.edges:
        edges = np.asarray(column.edges)
        return _histograms(edges, column.counts, _("This file"), training, field, SMALL)
    return _categories(column, training, field)


def _histograms(
    edges: npt.NDArray[np.float64],
    counts: Sequence[int] | npt.NDArray[np.int64],
    name: str,
    training: ColumnProfile | None,
    field: Field,
    height: int,
) -> alt.LayerChart:
    bars = _density(edges, counts, name)
    names = [name, _("Training data")]
    colour = alt.Color("which:N", title=None, sort=names,
                       scale=alt.Scale(domain=names, range=[ACCENT, CONTRAST]),
                       legend=alt.Legend(orient="top"))  # fmt: skip
    x = alt.X("low:Q", title=titled(field), axis=alt.Axis(format=",.0f", tickCount=6))
    y = alt.Y("share:Q", title=_("Share of the rows"), axis=alt.Axis(format=".0%", tickCount=4))
    tips: list[Any] = [
        alt.Tooltip("which:N", title=_("Data")),
        alt.Tooltip("low:Q", title=_("From"), format=",.0f"),
        alt.Tooltip("high:Q", title=_("To"), format=",.0f"),
        alt.Tooltip("share:Q", title=_("Share of the rows"), format=".1%"),
    ]
    layers: list[alt.Chart] = [
        alt.Chart(bars, height=height)
        .mark_bar(opacity=0.7, binSpacing=1)
        .encode(x=x, x2="high:Q", y=y, color=colour, tooltip=tips)
    ]
    if training and training.edges and sum(training.counts):
        line = _density(np.asarray(training.edges), training.counts, names[1])
        line = pd.concat([line, line.tail(1).assign(low=line["high"].iloc[-1])])
        layers.append(
            alt.Chart(line)
            .mark_line(interpolate="step-after", strokeWidth=2)
            .encode(x="low:Q", y="share:Q", color=colour)
        )
    return alt.layer(*layers)


def _categories(
    column: ColumnProfile, training: ColumnProfile | None, field: Field
) -> alt.LayerChart:
    frames = [_shares(column, field, _("This file"))]
    if training and sum(training.counts):
        frames.append(_shares(training, field, _("Training data")))
    data = pd.concat(frames)
    names = [frame["which"].iloc[0] for frame in frames if len(frame)]
    order = list(dict.fromkeys(data["category"]))
    base = alt.Chart(data, height=SMALL).encode(
        y=alt.Y("category:N", title=titled(field), sort=order),
        x=alt.X("share:Q", title=_("Share of the rows"), axis=alt.Axis(format=".0%", tickCount=4)),
        color=alt.Color("which:N", title=None, sort=names, legend=alt.Legend(orient="top"),
                        scale=alt.Scale(domain=names, range=[ACCENT, CONTRAST][: len(names)])),
        tooltip=[
            alt.Tooltip("which:N", title=_("Data")),
            alt.Tooltip("category:N", title=titled(field)),
            alt.Tooltip("share:Q", title=_("Share of the rows"), format=".1%"),
        ],
    )  # fmt: skip
    bars = base.transform_filter(alt.datum.which == names[0]).mark_bar(opacity=0.7)
    ticks = base.transform_filter(alt.datum.which != names[0]).mark_tick(thickness=3)
    return alt.layer(bars, ticks)


def sensitivity(
    curve: pd.DataFrame, here: pd.DataFrame, field: Field, target: Field
) -> alt.LayerChart:
    """How one client's amount moves along one column, the rest unchanged.

    Parameters
    ----------
    curve
        Columns ``x``, ``amount``, ``lower``, ``upper``: amounts in the target's unit.
    here
        The same columns, one row: the client as it is.
    """
    y = alt.Y("amount:Q", title=titled(target), axis=alt.Axis(format=",.0f", tickCount=4))
    tips = [
        alt.Tooltip("x", title=titled(field)),
        alt.Tooltip("amount:Q", title=titled(target), format=",.0f"),
    ]
    if field.is_numeric:
        x = alt.X("x:Q", title=titled(field), scale=alt.Scale(zero=False, nice=False),
                  axis=alt.Axis(format=",.0f", tickCount=5))  # fmt: skip
        base = alt.Chart(curve, height=SMALL)
        band = base.mark_area(opacity=0.22, color=ACCENT).encode(x=x, y="lower:Q", y2="upper:Q")
        line = base.mark_line(color=ACCENT).encode(x=x, y=y, tooltip=tips)
        point = alt.Chart(here).mark_point(color=CONTRAST, filled=True, size=90, opacity=1)
        return alt.layer(band, line, point.encode(x="x:Q", y="amount:Q", tooltip=tips))
    order = list(curve["x"])
    x = alt.X("x:N", title=titled(field), sort=order, axis=alt.Axis(labelAngle=0, labelLimit=70))
    base = alt.Chart(curve, height=SMALL)
    rule = base.mark_rule(color=ACCENT, opacity=0.5, strokeWidth=5).encode(
        x=x, y=alt.Y("lower:Q", title=titled(target)), y2="upper:Q"
    )
    tick = base.mark_tick(color=ACCENT, thickness=3, size=18).encode(x=x, y=y, tooltip=tips)
    point = alt.Chart(here).mark_point(color=CONTRAST, filled=True, size=90, opacity=1)
    return alt.layer(rule, tick, point.encode(x="x:N", y="amount:Q", tooltip=tips))


def intervals(data: pd.DataFrame, target: Field) -> alt.LayerChart:
    """Amounts of a few clients with their 90 % intervals, one under the other.

    Parameters
    ----------
    data
        Columns ``client``, ``amount``, ``lower``, ``upper``: amounts in the target's unit.
    """
    y = alt.Y("client:N", title=None, sort=list(data["client"]))
    x = alt.X("lower:Q", title=titled(target), axis=alt.Axis(format=",.0f", tickCount=6))
    base = alt.Chart(data, height=44 * len(data) + 40)
    bars = base.mark_bar(height=14, color=ACCENT, opacity=0.35).encode(y=y, x=x, x2="upper:Q")
    ticks = base.mark_tick(thickness=4, size=26, color=ACCENT).encode(
        y=y, x="amount:Q",
        tooltip=[alt.Tooltip(f"{name}:Q", format=",.0f") for name in ("lower", "amount", "upper")],
    )  # fmt: skip
    return alt.layer(bars, ticks)


def _edges(amounts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.histogram_bin_edges(amounts, BINS)


def _density(
    edges: npt.NDArray[np.float64], counts: Sequence[int] | npt.NDArray[np.int64], name: str
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

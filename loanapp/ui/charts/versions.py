"""Pictures of the versions: how good each was, and which was live when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import altair as alt
import pandas as pd

from loanapp.core.answers import HistoryEntry, ModelVersion
from loanapp.core.data.schema import Field
from loanapp.ui.charts.base import ACCENT, CONTRAST, MUTED, Drawing
from loanapp.ui.text import _, unit

LAST = 30
TIME_FORMAT = {
    "year": "%Y",
    "quarter": "%b %Y",
    "month": "%b %Y",
    "week": "%d/%m",
    "date": "%d/%m",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": "%H:%M:%S",
}


def error_by_version(models: Sequence[ModelVersion], target: Field) -> Drawing:
    """Mean absolute error of the last versions, oldest first; the live one is the diamond."""
    shown = [m for m in reversed(models[:LAST]) if m.metrics]
    data = pd.DataFrame(
        {
            "version": [m.version for m in shown],
            "mae": [m.metrics.mae for m in shown if m.metrics],
            "state": [_("live") if m.champion else _("in reserve") for m in shown],
        }
    )
    states = [_("live"), _("in reserve")]
    title = _("Mean absolute error") + (f" ({unit(target)})" if target.unit else "")
    x = alt.X(
        "version:O", title=_("Version"), sort=list(data["version"]), axis=alt.Axis(labelAngle=0)
    )
    y = alt.Y(
        "mae:Q",
        title=title,
        scale=alt.Scale(zero=False),
        axis=alt.Axis(format=",.0f", tickCount=4, tickMinStep=1),
    )
    base = alt.Chart(data, height=220)
    line = base.mark_line(color=MUTED, strokeWidth=1).encode(x=x, y=y)
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x,
        y=y,
        shape=alt.Shape(
            "state:N",
            title=None,
            legend=alt.Legend(orient="top"),
            scale=alt.Scale(domain=states, range=["diamond", "circle"]),
        ),
        color=alt.Color(
            "state:N", title=None, scale=alt.Scale(domain=states, range=[CONTRAST, ACCENT])
        ),
        tooltip=[
            alt.Tooltip("version:O", title=_("Version")),
            alt.Tooltip("mae:Q", title=title, format=",.0f"),
            alt.Tooltip("state:N", title=_("State")),
        ],
    )
    return alt.layer(line, points)


def live_timeline(history: Sequence[HistoryEntry], now: datetime) -> Drawing:
    """Which version was live when; newest entries first in ``history``."""
    starts = list(reversed(history))
    ends = [entry.at for entry in starts[1:]] + [now]
    data = pd.DataFrame(
        {
            "version": [entry.version for entry in starts],
            "start": [_milliseconds(entry.at) for entry in starts],
            "end": [_milliseconds(end) for end in ends],
            "author": [entry.author or "—" for entry in starts],
            "reason": [entry.reason or "—" for entry in starts],
        }
    )
    versions = sorted(set(data["version"]), key=lambda v: int(v) if v.isdigit() else 0)
    y = alt.Y("version:O", title=_("Version"), sort=versions)
    x = alt.X(
        "start:T",
        title=None,
        axis=alt.Axis(tickCount=5, labelOverlap=True, format=TIME_FORMAT),
    )
    base = alt.Chart(data, height=34 * len(versions) + 80)
    bars = base.mark_bar(color=ACCENT, height=12).encode(
        x=x,
        x2="end:T",
        y=y,
        tooltip=[
            alt.Tooltip("version:O", title=_("Version")),
            alt.Tooltip("start:T", title=_("From"), format="%d/%m/%Y %H:%M"),
            alt.Tooltip("end:T", title=_("To"), format="%d/%m/%Y %H:%M"),
            alt.Tooltip("author:N", title=_("Author")),
            alt.Tooltip("reason:N", title=_("Reason")),
        ],
    )
    switches = base.mark_tick(color=CONTRAST, thickness=3, height=20).encode(x="start:T", y=y)
    return alt.layer(bars, switches)


def _milliseconds(moment: datetime) -> float:
    """Since 1970, as charts count time: they show it in the browser's zone."""
    return 1000 * moment.timestamp()

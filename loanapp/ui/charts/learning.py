"""Pictures of a training: its curve, predicted against actual, residuals by decile."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from loanapp.core.answers import Evaluation
from loanapp.core.data.schema import Field
from loanapp.ui.charts.base import ACCENT, CONTRAST, DASHED, DOTTED, HEIGHT, MUTED, SOLID, Drawing
from loanapp.ui.text import _, unit

DECILES = 10


def loss_curve(
    epochs: Sequence[int], losses: Sequence[float | None], val_losses: Sequence[float | None]
) -> Drawing:
    """Loss by epoch: on the rows trained on (solid) and on the validation rows (dashed)."""
    trained, validated = _("Rows trained on"), _("Validation rows")
    data = pd.concat(
        [
            pd.DataFrame({"epoch": epochs, "loss": losses, "rows": trained}),
            pd.DataFrame({"epoch": epochs, "loss": val_losses, "rows": validated}),
        ]
    ).dropna()
    order = [trained, validated]
    legend = alt.Legend(orient="top", title=None)
    line = (
        alt.Chart(data, height=HEIGHT)
        .mark_line()
        .encode(
            x=alt.X("epoch:Q", title=_("Epoch"), axis=alt.Axis(tickMinStep=1, format=",.0f")),
            y=alt.Y("loss:Q", title=_("Loss (no unit)"), scale=alt.Scale(zero=False)),
            color=alt.Color(
                "rows:N",
                sort=order,
                scale=alt.Scale(domain=order, range=[ACCENT, CONTRAST]),
                legend=legend,
            ),
            strokeDash=alt.StrokeDash(
                "rows:N",
                sort=order,
                scale=alt.Scale(domain=order, range=[SOLID, DASHED]),
                legend=legend,
            ),
        )
    )
    return alt.layer(line)


def predicted_against_actual(evaluation: Evaluation, target: Field) -> Drawing:
    """Held-out rows: a point on the diagonal is a perfect prediction; dashed lines are bounds."""
    data = pd.DataFrame({"actual": evaluation.actual, "predicted": evaluation.predicted})
    low = float(min(data.min().min(), *_bounds(evaluation), np.inf))
    high = float(max(data.max().max(), *_bounds(evaluation), -np.inf))
    scale = alt.Scale(domain=[low, high], nice=True)
    points = (
        alt.Chart(data, height=HEIGHT + 60)
        .mark_circle(size=18, opacity=0.45, color=ACCENT)
        .encode(
            x=alt.X(
                "actual:Q",
                title=_with_unit(_("Actual amount"), target),
                scale=scale,
                axis=alt.Axis(format=",.0f", tickCount=5),
            ),
            y=alt.Y(
                "predicted:Q",
                title=_with_unit(_("Predicted amount"), target),
                scale=scale,
                axis=alt.Axis(format=",.0f", tickCount=5),
            ),
            tooltip=[
                alt.Tooltip("actual:Q", title=_("Actual amount"), format=",.0f"),
                alt.Tooltip("predicted:Q", title=_("Predicted amount"), format=",.0f"),
            ],
        )
    )
    diagonal = (
        alt.Chart(pd.DataFrame({"a": [low, high]}))
        .mark_line(color=CONTRAST, strokeWidth=1.5)
        .encode(x="a:Q", y="a:Q")
    )
    bounds = pd.DataFrame({"bound": _bounds(evaluation)}, dtype=float)
    rules = alt.Chart(bounds).mark_rule(color=MUTED, strokeDash=DASHED)
    return alt.layer(points, diagonal, rules.encode(x="bound:Q"), rules.encode(y="bound:Q"))


def residuals_by_decile(evaluation: Evaluation, target: Field) -> Drawing:
    """By tenth of the predictions: the middle half of the errors, their median, the 80 %."""
    data = residual_table(evaluation)
    x = alt.X(
        "decile:O", title=_("Tenth of the predictions, lowest first"), axis=alt.Axis(labelAngle=0)
    )
    base = alt.Chart(data, height=HEIGHT + 60)
    title = _with_unit(_("Actual minus predicted"), target)
    span = base.mark_rule(color=MUTED).encode(
        x=x, y=alt.Y("p10:Q", title=title, axis=alt.Axis(format=",.0f")), y2="p90:Q"
    )
    box = base.mark_bar(color=ACCENT, opacity=0.55, width={"band": 0.6}).encode(
        x=x, y="p25:Q", y2="p75:Q"
    )
    middle = base.mark_tick(color=CONTRAST, thickness=3, width={"band": 0.6}).encode(
        x=x, y="p50:Q", tooltip=[alt.Tooltip("p50:Q", title=_("Median"), format=",.0f")]
    )
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(strokeDash=DOTTED, color=MUTED)
    return alt.layer(zero.encode(y="zero:Q"), span, box, middle)


def residual_table(evaluation: Evaluation) -> pd.DataFrame:
    """Quantiles of actual minus predicted, by tenth of the predictions.

    Returns
    -------
    DataFrame
        Columns ``decile`` (1 to 10), ``p10``, ``p25``, ``p50``, ``p75``, ``p90`` in the target's
        unit.
    """
    predicted = np.asarray(evaluation.predicted)
    residual = np.asarray(evaluation.actual) - predicted
    order = np.argsort(predicted, kind="stable")
    rows = []
    for decile, members in enumerate(np.array_split(order, min(DECILES, len(order))), start=1):
        p10, p25, p50, p75, p90 = np.quantile(residual[members], [0.1, 0.25, 0.5, 0.75, 0.9])
        rows.append({"decile": decile, "p10": p10, "p25": p25, "p50": p50, "p75": p75, "p90": p90})
    return pd.DataFrame(rows)


def _bounds(evaluation: Evaluation) -> list[float]:
    return [b for b in (evaluation.floor, evaluation.ceiling) if b is not None]


def _with_unit(title: str, field: Field) -> str:
    return f"{title} ({unit(field)})" if field.unit else title

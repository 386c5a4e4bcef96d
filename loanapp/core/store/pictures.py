"""Pictures of a training for its MLflow run; readable in black and white."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loanapp.core.data.schema import Field
from loanapp.core.model.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_training(evaluation: Evaluation, target: Field) -> Figure:
    """Draw the losses by epoch."""
    figure, axes = _canvas(f"Training curve: {target.label('en').lower()}")
    axes.plot(evaluation.epochs, evaluation.losses, color="black", label="training rows")
    axes.plot(
        evaluation.epochs, evaluation.val_losses, color="black", linestyle="--",
        label="validation rows",
    )  # fmt: skip
    axes.set(xlabel="epoch", ylabel="loss (negative log-likelihood)")
    axes.legend(frameon=False)
    return figure


def draw_fit(evaluation: Evaluation, target: Field) -> Figure:
    """Draw predicted against actual amounts, with the bounds marked."""
    unit = f" ({target.unit})" if target.unit else ""
    metrics = evaluation.metrics
    figure, axes = _canvas(f"Held-out rows: MAE {metrics.mae:,.0f}{unit}, R² {metrics.r2:.3f}")
    axes.scatter(evaluation.actual, evaluation.predicted, s=6, alpha=0.4, color="black")
    both = (*evaluation.actual, *evaluation.predicted)
    axes.plot([min(both), max(both)], [min(both), max(both)], color="grey", linewidth=1)
    for bound in (evaluation.floor, evaluation.ceiling):
        if bound is not None:
            axes.axvline(bound, color="grey", linestyle=":", linewidth=1)
            axes.axhline(bound, color="grey", linestyle=":", linewidth=1)
    axes.set(xlabel=f"actual{unit}", ylabel=f"predicted{unit}")
    return figure


def _canvas(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes

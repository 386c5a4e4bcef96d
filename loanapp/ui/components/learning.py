"""What a training learned, in pictures and beside other models."""

from __future__ import annotations

import streamlit as st

from loanapp.core.answers import Comparison, ModelDetails, TrainingResult
from loanapp.core.data.schema import Field
from loanapp.ui.charts.base import show
from loanapp.ui.charts.learning import loss_curve, predicted_against_actual, residuals_by_decile
from loanapp.ui.components.metrics import compare_models, how_good
from loanapp.ui.components.status import details, go_to
from loanapp.ui.components.tables import show_texts
from loanapp.ui.components.versions import offer_promotion
from loanapp.ui.state import backend, schema
from loanapp.ui.text import _, amount, category, label, number, percent, say, signed


def show_pictures(details: ModelDetails, target: Field) -> None:
    """Draw the training curve, predicted against actual, and the residuals by tenth."""
    evaluation = details.evaluation
    left, right = st.columns(2)
    with left:
        st.subheader(_("Predicted and actual amounts"))
        show(
            predicted_against_actual(evaluation, target),
            _("Held-out rows: predicted against actual amounts.")
            + " "
            + how_good(evaluation, target),
        )
        st.caption(
            _("Each point is a held-out row; on the line, the prediction is exact.")
            + _bounds_sentence(details, target)
        )
    with right:
        st.subheader(_("Where the errors are"))
        show(
            residuals_by_decile(evaluation, target),
            _("Actual minus predicted amounts by tenth of the predictions."),
        )
        st.caption(
            _("Box: the middle half of the errors; thin line: eight in ten; mark: the median.")
        )
    with st.expander(_("Training curve"), icon=":material/show_chart:"):
        if evaluation.epochs:
            show(
                loss_curve(evaluation.epochs, evaluation.losses, evaluation.val_losses),
                _(
                    "Loss by epoch; the last on validation rows: {loss}.",
                    loss=number(evaluation.val_losses[-1], 4),
                ),
            )
        else:
            st.caption(_("This version has no training curve."))


def show_version(details: ModelDetails, target: Field) -> None:
    """Say what was decided of a version and how good it is; its pictures are folded away."""
    decision = details.model.decision
    sentences = [say(decision)] if decision else []
    st.caption(" ".join([*sentences, how_good(details.evaluation, target)]))
    title = _("Pictures of version {version}", version=details.model.version)
    with st.expander(title, icon=":material/image:"):
        show_pictures(details, target)


def show_outcome(result: TrainingResult) -> None:
    """Say what a training came to: the decision, the figures, the pictures, the next step."""
    target = schema().target
    banner = st.success if result.promoted else st.info
    icon = ":material/rocket_launch:" if result.promoted else ":material/inventory_2:"
    banner(say(result.message), icon=icon)
    new = details(result.model_version, result.run_id)
    if new is None:
        return
    _show_comparison(result, new, target)
    with st.container(horizontal=True):
        _next_steps(result)
    show_pictures(new, target)


def _show_comparison(result: TrainingResult, new: ModelDetails, target: Field) -> None:
    """Put the new model beside the champion and beside predicting the mean."""
    columns = [(_("Version {version}", version=result.model_version), result.metrics)]
    if result.comparison:
        columns.append((_("The model that served before"), result.comparison.champion))
    columns.append((_("Predicting the mean"), new.evaluation.baseline))
    compare_models(columns, target, alternative=_("Metrics of the new model beside others'"))
    if result.comparison:
        _show_groups(result.comparison, target)
    share = percent(new.evaluation.coverage, 1)
    st.caption(
        how_good(new.evaluation, target)
        + " "
        + _("The 90% interval holds {share} of the held-out amounts.", share=share)
    )


def _show_groups(comparison: Comparison, target: Field) -> None:
    """Show the difference to the champion in each group that the law protects."""
    fields = schema().by_name
    shown = [group for group in comparison.groups if group.column in fields]
    if not shown:
        return
    rows = {
        _("Group"): [
            f"{label(fields[g.column])}: {_group_name(fields[g.column], g.value)}" for g in shown
        ],
        _("Held-out rows"): [number(g.rows) for g in shown],
        _("Difference of the error"): [signed(g.difference, target) for g in shown],
        _("95% interval"): [
            f"{signed(g.lower, target)} … {signed(g.upper, target)}" for g in shown
        ],
    }
    with st.expander(_("Difference to the model before, by group"), icon=":material/groups:"):
        st.caption(_("Negative: the new model is closer to the amounts. Small groups say little."))
        show_texts(rows, _("Difference of the mean absolute error by group"))


def _group_name(field: Field, value: str | None) -> str:
    return _("missing") if value is None else category(field, value)


def _next_steps(result: TrainingResult) -> None:
    """Promote or leave; where it is live already, predict or look back."""
    live = backend().health().model_version
    if live == result.model_version:
        go_to(
            _("Predict the amounts of a file"),
            "predict",
            key="after_predict",
            primary=True,
            icon=":material/table_chart:",
        )
        go_to(_("See the versions"), "models", key="after_models", icon=":material/inventory_2:")
    else:
        offer_promotion(result.model_version, live, key="promote_new")


def _bounds_sentence(details: ModelDetails, target: Field) -> str:
    evaluation = details.evaluation
    bounds = [b for b in (evaluation.floor, evaluation.ceiling) if b is not None]
    if not bounds:
        return ""
    return " " + _(
        "Dashed: where the amounts are cut off ({bounds}).",
        bounds=", ".join(amount(b, target) for b in bounds),
    )

"""The home page's parts: the first steps, the model that serves, the next step."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from loanapp.core.answers import Health, ModelDetails, ModelVersion, TrainingOptions
from loanapp.core.data.schema import Field
from loanapp.ui.access import may
from loanapp.ui.charts.base import show
from loanapp.ui.charts.versions import error_by_version
from loanapp.ui.components.files import sample_upload
from loanapp.ui.components.jobs import start
from loanapp.ui.components.metrics import how_good, origin, show_figures
from loanapp.ui.components.status import go_to
from loanapp.ui.navigation import page_path
from loanapp.ui.state import backend, keep
from loanapp.ui.text import _, amount, moment


def first_steps() -> None:
    """Without a model: train on the example or on a file, in one click."""
    st.markdown(
        _("Loanapp learns from a file of past loans, then predicts the amount for new clients.")
    )
    st.info(_("No model serves yet: choose how to train the first one."), icon=":material/school:")
    if not may("train"):
        return
    example, own = st.columns(2)
    with example.container(border=True, height="stretch"):
        st.header(_("With an example"))
        st.write(_("Invented clients, to see how it works. It takes less than a minute."))
        if st.button(
            _("Train on the example"),
            key="train_example",
            type="primary",
            icon=":material/science:",
        ):
            upload = sample_upload("train")
            keep("train_upload", upload)
            start(upload, TrainingOptions(reason=_("First try on the example")))
            st.switch_page(page_path("train"))
    with own.container(border=True, height="stretch"):
        st.header(_("With your file"))
        st.write(_("Past clients with the amounts granted: CSV, Excel or Parquet."))
        go_to(_("Choose a file"), "train", key="train_own", icon=":material/upload_file:")


def show_champion(health: Health, details: ModelDetails, target: Field) -> None:
    """Say which model serves, since when, trained on what, and how good it is."""
    model, evaluation = details.model, details.evaluation
    with st.container(border=True):
        st.header(_("Version {version} serves", version=model.version))
        entry = next(iter(backend().history()), None)
        since = entry.at if entry and entry.version == model.version else health.trained_at
        lines = []
        if since:
            lines.append(_("Live since {moment}.", moment=moment(since)))
        lines.append(_("Trained on {origin}.", origin=origin(model)))
        st.markdown(" ".join(lines))
        st.markdown(
            f":material/insights: **{how_good(evaluation, target)}** "
            + _("On average, the error is {error}.", error=amount(_mae(details), target))
        )
        if model.metrics:
            show_figures(model.metrics, evaluation, model.rows)


def _describe_store(models: Sequence[ModelVersion]) -> str:
    """Say that the store answers, what it holds, and which newer version waits."""
    said = [_("The store answers; versions kept: {n}.", n=len(models))]
    if models:
        said.append(_("Last training on {moment}.", moment=moment(models[0].created_at)))
    if models and not models[0].champion:
        said.append(
            _("Version {version}, the newest, waits in reserve.", version=models[0].version)
        )
    return ":material/database: " + " ".join(said)


def _mae(details: ModelDetails) -> float:
    return details.model.metrics.mae if details.model.metrics else details.evaluation.median_error


def next_step() -> None:
    """Offer the next sensible step as one prominent button, and two more."""
    training = any(job.active for job in backend().jobs())
    with st.container(horizontal=True):
        if training:
            go_to(
                _("Follow the training under way"),
                "train",
                key="next_watch",
                primary=True,
                icon=":material/hourglass_top:",
            )
        go_to(
            _("Predict the amounts of a file"),
            "predict",
            key="next_predict",
            primary=not training,
            icon=":material/table_chart:",
        )
        go_to(_("Simulate one client"), "simulate", key="next_simulate", icon=":material/tune:")
        if not training:
            go_to(
                _("Train on a new file"),
                "train",
                key="next_train",
                icon=":material/model_training:",
            )


def show_progress_over_time(target: Field) -> None:
    """Say what the store holds, and draw how good the versions were once there are two."""
    models = backend().models()
    st.header(_("History"))
    st.markdown(_describe_store(models))
    if len(models) < 2:
        st.caption(_("The error of each version is drawn here after the second training."))
        return
    show(
        error_by_version(models, target),
        _(
            "Mean absolute error by version; version {version} is live.",
            version=next((m.version for m in models if m.champion), "—"),
        ),
    )

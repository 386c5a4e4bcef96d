"""One training as it goes on: read from the service, so every browser sees the same."""

from __future__ import annotations

import streamlit as st

from loanapp.core.answers import Job, Phase, TrainingOptions
from loanapp.core.errors import TrainingBusy, UnknownJob
from loanapp.ui.charts.base import show
from loanapp.ui.charts.learning import loss_curve
from loanapp.ui.components.files import Upload
from loanapp.ui.guard import guarded
from loanapp.ui.state import backend, forget, keep, recall
from loanapp.ui.text import _, duration, moment, number, percent, say

POLL_S = 0.5


def current_job() -> Job | None:
    """The training that runs, whoever started it; else the one that this session followed."""
    running = next((job for job in backend().jobs() if job.active), None)
    if running:
        keep("job", running.id)
        return running
    followed = recall("job")
    if followed is None:
        return None
    try:
        return backend().job(followed)
    except UnknownJob:
        forget("job")
        return None


def start(upload: Upload, options: TrainingOptions) -> None:
    """Start a training; where one runs already, follow that one."""
    try:
        job = backend().start_training(upload.open(), options, file_name=upload.name)
    except TrainingBusy as busy:
        if not busy.job_id:
            raise
        keep("job", busy.job_id)
        st.toast(say(busy.message), icon=":material/hourglass_top:")
    else:
        keep("job", job.id)


@st.fragment(run_every=POLL_S)
@guarded
def watch(job_id: str) -> None:
    """Show how far a training is, again and again, until it has ended."""
    job = backend().job(job_id)
    if not job.active:
        st.rerun()
    st.header(_("Training under way"))
    st.progress(min(max(job.share, 0.0), 1.0), text=_progress_text(job))
    st.caption(_origin(job))
    if st.button(_("Cancel the training"), key="cancel_training", icon=":material/stop_circle:"):
        backend().cancel(job_id)
        st.rerun()
    with st.container(height=340, border=False):
        if len(job.losses) > 1:
            show(
                loss_curve(range(1, len(job.losses) + 1), job.losses, job.val_losses),
                _("Loss by epoch while the model trains; now at epoch {epoch}.", epoch=job.epoch),
                key="live_curve",
            )
        else:
            st.caption(_("The training curve appears here as soon as the model learns."))


def show_ended(job: Job) -> None:
    """Say how a training without a result ended."""
    if job.state == "cancelled":
        st.info(_("The training was cancelled; nothing was changed."), icon=":material/block:")
    elif job.state == "interrupted":
        st.warning(
            _("The training was interrupted. Start it again.")
            + (f" {say(job.reason)}" if job.reason else ""),
            icon=":material/power_off:",
        )
    else:
        reason = say(job.reason) if job.reason else _("The reason is in the log.")
        st.error(_("The training failed.") + f" {reason}", icon=":material/error:")


def _progress_text(job: Job) -> str:
    parts = [phase_name(job.phase) if job.state == "running" else _("Waiting")]
    if job.phase == "fit" and job.epoch:
        of = f" / {number(job.epochs)}" if job.epochs else ""
        parts.append(_("epoch {epoch}", epoch=number(job.epoch)) + of)
    if job.val_loss is not None:
        parts.append(_("validation loss {loss}", loss=number(job.val_loss, 3)))
    parts.append(percent(job.share))
    if job.seconds_left is not None and job.seconds_left >= 1:
        parts.append(_("about {time} left", time=duration(job.seconds_left)))
    return " · ".join(parts)


def phase_name(phase: Phase) -> str:
    """Name of a phase of the training."""
    return {
        "start": _("Starting"),
        "read": _("Reading the file"),
        "fit": _("Learning"),
        "evaluate": _("Testing on held-out rows"),
        "log": _("Recording the run"),
        "register": _("Registering the version"),
        "bundle": _("Preparing the model for use"),
        "promote": _("Going live"),
    }[phase]


def _origin(job: Job) -> str:
    parts = [job.file_name, job.author, moment(job.created_at) if job.created_at else ""]
    return " · ".join(part for part in parts if part)

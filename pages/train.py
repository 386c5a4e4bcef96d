"""Train: a file, what is in it, a training that can be watched, and what came of it."""

import streamlit as st

from loanapp.ui.components.choices import choose_options
from loanapp.ui.components.files import choose_file, inspect_file, show_inspection
from loanapp.ui.components.jobs import current_job, show_ended, start, watch
from loanapp.ui.components.learning import show_outcome
from loanapp.ui.components.profiles import show_columns
from loanapp.ui.components.status import champion
from loanapp.ui.guard import end_page
from loanapp.ui.state import backend, forget, tell_done
from loanapp.ui.text import _

st.title(_("Train a model"))
tell_done()
job = current_job()
if job and job.active:
    watch(job.id)
    end_page()
if job and job.result:
    show_outcome(job.result)
elif job:
    show_ended(job)
if job:
    if st.button(_("Train another model"), key="train_again", icon=":material/restart_alt:"):
        forget("job", "train_upload", "train_inspection")
        st.rerun()
    if job.result:
        end_page()

upload = choose_file("train")
if upload is None:
    end_page()
inspection = inspect_file(upload, "train")
show_inspection(inspection)
if not inspection.valid:
    end_page()
options = choose_options()
if st.button(_("Train the model"), key="train", type="primary", icon=":material/model_training:"):
    start(upload, options)
    st.rerun()
show_columns(inspection, champion(backend().health()))

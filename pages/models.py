"""Models: the versions, two of them compared, promotion, and what was live when."""

from datetime import UTC, datetime

import streamlit as st

from loanapp.ui.charts.base import show
from loanapp.ui.charts.versions import live_timeline
from loanapp.ui.components.learning import show_pictures
from loanapp.ui.components.status import details, go_to
from loanapp.ui.components.versions import (
    choose_version,
    compare_two,
    offer_rollback,
    show_history,
    show_versions,
)
from loanapp.ui.guard import end_page
from loanapp.ui.state import backend, schema, tell_done
from loanapp.ui.text import _

st.title(_("Models"))
tell_done()
models = backend().models()
target = schema().target
if not models:
    st.info(_("There is no version yet: train a first model."), icon=":material/school:")
    go_to(_("Train a model"), "train", key="go_train", primary=True)
    end_page()

show_versions(models, target)
history = backend().history()
version, run_id = choose_version(models)
chosen = details(version, run_id)
if chosen:
    with st.expander(_("Pictures of version {version}", version=version), icon=":material/image:"):
        show_pictures(chosen, target)
offer_rollback(history, models)
if len(models) > 1:
    st.header(_("Compare two versions"))
    compare_two(models, target)
st.header(_("What was live when"))
if history:
    show(live_timeline(history, datetime.now(UTC)), _("Which version was live when"))
    show_history(history)
else:
    st.caption(_("No version has been live yet."))

"""Models: the versions, two of them compared, promotion, and what was live when."""

import streamlit as st

from loanapp.ui.components.comparison import compare_two
from loanapp.ui.components.history import show_history
from loanapp.ui.components.learning import show_version
from loanapp.ui.components.status import details, go_to
from loanapp.ui.components.versions import choose_version, offer_rollback, show_versions
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
with st.container(horizontal=True, vertical_alignment="bottom"):
    version = choose_version(models)
    offer_rollback(history, models)
chosen = details(version.version, version.run_id)
if chosen:
    show_version(chosen, target)
if len(models) > 1:
    st.header(_("Compare two versions"))
    compare_two(models, target)
st.header(_("What was live when"))
show_history(history)

"""Predict: a file, what is in it, the amounts, and the file back with them."""

import streamlit as st

from loanapp.ui.components.downloads import offer_downloads, offer_rejected
from loanapp.ui.components.files import choose_file, inspect_file, show_inspection
from loanapp.ui.components.prediction_table import show_table
from loanapp.ui.components.predictions import (
    kept_prediction,
    predict_file,
    show_distribution,
    show_freshness,
    show_totals,
)
from loanapp.ui.components.reports import ask_to_skip
from loanapp.ui.components.status import champion, require_model
from loanapp.ui.guard import end_page
from loanapp.ui.state import schema
from loanapp.ui.text import _

st.title(_("Predict the amounts"))
health = require_model()
upload = choose_file("predict")
if upload is None:
    end_page()
inspection = inspect_file(upload, "predict")
show_inspection(inspection)
skip_invalid = not inspection.valid and ask_to_skip(inspection.report)
if st.button(
    _("Predict"),
    key="predict",
    type="primary",
    icon=":material/calculate:",
    disabled=not (inspection.valid or skip_invalid),
):
    predict_file(upload, champion(health), skip_invalid=skip_invalid)

scored = kept_prediction()
if scored is None:
    end_page()
target = schema().target
show_freshness(scored, health)
show_totals(scored, target)
offer_rejected(scored.prediction)
offer_downloads(scored.prediction, upload.name)
show_table(scored, target)
st.header(_("Distribution of the amounts"))
show_distribution(scored, target)

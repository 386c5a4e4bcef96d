"""What the operator has set, in words: feature policy, limits, versions."""

from __future__ import annotations

import platform

import streamlit as st

from loanapp import __version__
from loanapp.ui.backend import settings
from loanapp.ui.components.choices import explain_policy, policy_name, promotion_name
from loanapp.ui.components.tables import show_texts
from loanapp.ui.state import schema
from loanapp.ui.text import _, duration, label, number, percent, plain


def show_policy() -> None:
    """Say which columns feed a new model, and which the law restricts."""
    chosen = settings().features
    used = ", ".join(label(field) for field in schema().features(chosen))
    st.markdown(f"**{policy_name(chosen)}** : {used}")
    st.caption(
        explain_policy()
        + " "
        + _(
            "The choice can be changed for each training; {variable} sets the default.",
            variable="`LOANAPP_FEATURES`",
        )
    )


def show_limits() -> None:
    """List the limits with what each is for."""
    now = settings()
    rows = [
        (
            _("Size of a file"),
            _("{n} MB", n=now.max_upload_mb),
            "LOANAPP_MAX_UPLOAD_MB",
            _("Larger files are refused before they are read."),
        ),
        (
            _("Size of a file once decompressed"),
            _("{n} MB", n=now.max_decompressed_mb),
            "LOANAPP_MAX_DECOMPRESSED_MB",
            _("Protects the memory from compressed files."),
        ),
        (_("Rows"), number(now.max_rows), "LOANAPP_MAX_ROWS", _("Rows in one file.")),
        (_("Columns"), number(now.max_columns), "LOANAPP_MAX_COLUMNS", _("Columns in one file.")),
        (
            _("Requests of one client"),
            _("{n} a second", n=number(now.requests_per_s)) if now.requests_per_s else "—",
            "LOANAPP_REQUESTS_PER_S",
            _("Who sends more has to wait; programs of this machine are not counted."),
        ),
        (
            _("Names of this server"),
            ", ".join(("localhost", *now.allowed_hosts)),
            "LOANAPP_ALLOWED_HOSTS",
            _("Requests for other names are refused."),
        ),
        (
            _("Time of a training"),
            duration(now.training_time_limit_s),
            "LOANAPP_TRAINING_TIME_LIMIT_S",
            _("A training that takes longer is stopped."),
        ),
        (
            _("When a new model goes live"),
            promotion_name(now.promotion),
            "LOANAPP_PROMOTION",
            _("Can be changed for each training."),
        ),
        (
            _("Margin of “not worse”"),
            percent(now.promotion_margin_pct / 100, 1),
            "LOANAPP_PROMOTION_MARGIN_PCT",
            _("Tolerated increase of the mean absolute error."),
        ),
        (
            _("Held-out rows"),
            percent(now.holdout_share),
            "LOANAPP_HOLDOUT_SHARE",
            _("Share of the rows kept aside to measure a model."),
        ),
    ]
    columns = [_("Setting"), _("Value"), _("Variable"), _("What it does")]
    shown = [(what, value, f"`{variable}`", does) for what, value, variable, does in rows]
    cells = [list(column) for column in zip(*shown, strict=True)]
    show_texts(dict(zip(columns, cells, strict=True)), _("Limits in force"))


def show_versions() -> None:
    """Show the versions of what is installed."""
    now = settings()
    facts = {
        "Loanapp": __version__,
        "Python": platform.python_version(),
        "Streamlit": st.__version__,
        _("Folder of the data"): str(now.home),
        _("Contract"): str(now.data_schema or _("built in")),
        "MLflow": now.mlflow_url,
    }
    columns = {_("What"): list(facts), _("Value"): [plain(fact) for fact in facts.values()]}
    show_texts(columns, _("Versions and places"))

"""The choices of a training, folded away: each has a sensible default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, get_args

import streamlit as st

from loanapp.core.answers import DataChoice, TrainingOptions
from loanapp.core.settings import FeaturePolicy, Promotion
from loanapp.ui.access import caller
from loanapp.ui.backend import settings
from loanapp.ui.state import keep, recall, schema
from loanapp.ui.text import _, label

Choice = TypeVar("Choice")


def choose_options() -> TrainingOptions:
    """Let the user change how the model is trained and when it goes live."""
    known: TrainingOptions = recall("training_options") or TrainingOptions(
        promotion=settings().promotion, features=settings().features, seed=settings().seed
    )
    with st.expander(_("Choices"), icon=":material/tune:", key="choices"):
        options = _ask(known)
    keep("training_options", options)
    return options


def _ask(known: TrainingOptions) -> TrainingOptions:
    promotions, policies, data = get_args(Promotion), get_args(FeaturePolicy), get_args(DataChoice)
    left, right = st.columns(2)
    with left:
        promotion = st.radio(
            _("When does the new model go live?"),
            promotions,
            promotions.index(known.promotion or promotions[0]),
            format_func=_names(promotions, promotion_name),
            key="train_promotion",
        )
        source = st.radio(
            _("What is it trained on?"),
            data,
            data.index(known.data),
            format_func=_names(data, data_name),
            key="train_data",
            help=_("Rows that are in several files are counted once."),
        )
        policy = st.radio(
            _("Which columns feed the model?"),
            policies,
            policies.index(known.features or policies[0]),
            format_func=_names(policies, policy_name),
            key="train_features",
            help=explain_policy(),
        )
    with right:
        author = st.text_input(
            _("Author"), known.author or caller().name, max_chars=100, key="train_author"
        )
        reason = st.text_area(
            _("Reason"),
            known.reason,
            max_chars=500,
            key="train_reason",
            height=100,
            placeholder=_("For example: figures of the third quarter"),
        )
        seed = st.number_input(
            _("Seed"),
            0,
            2**31 - 1,
            known.seed or 0,
            key="train_seed",
            help=_("The same file and the same seed give the same model."),
        )
        force = st.checkbox(
            _("Train again even if this file was already used with these choices"),
            known.force,
            key="train_force",
            wrap=True,
        )
    return TrainingOptions(promotion, policy, source, int(seed), force, author, reason)


def _names(options: Sequence[Choice], name: Callable[[Choice], str]) -> Callable[[Choice], str]:
    """Name the options once, in the language of this run."""
    return {option: name(option) for option in options}.__getitem__


def promotion_name(choice: Promotion) -> str:
    """Say when a model goes live."""
    return {
        "always": _("As soon as it is trained"),
        "better": _("Only if it is not worse than the one that serves"),
        "manual": _("When I decide"),
    }[choice]


def data_name(choice: DataChoice) -> str:
    """Say what a model is trained on."""
    return {"new": _("This file alone"), "all": _("This file and those of earlier versions")}[
        choice
    ]


def policy_name(choice: FeaturePolicy) -> str:
    """Say which columns feed a model."""
    return {
        "all": _("All but those that name a person"),
        "lawful": _("Only those that the law does not restrict"),
    }[choice]


def explain_policy() -> str:
    """Say which columns the law restricts."""
    names = ", ".join(label(field) for field in schema().protected)
    return _(
        "French and European law restricts these columns in credit decisions: {names}.",
        names=names or "—",
    )

"""Who uses the pages: a login, a token, or anybody; and what their role lets them do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, cast

import streamlit as st

from loanapp.core.access import ANYBODY, ROLES, Identity, Role
from loanapp.core.answers import Job, ModelVersion, TrainingOptions
from loanapp.core.errors import NotAllowed, NotIdentified, message
from loanapp.core.permission import check_options, require
from loanapp.core.settings import Settings
from loanapp.ui.backend import Backend, settings

PAGES: Mapping[str, Role] = {"train": "train", "predict": "predict", "simulate": "predict"}
"""What a page takes; the others are everybody's."""
CALLS: Mapping[str, Role] = {
    **dict.fromkeys(("health", "schema", "jobs", "job", "follow"), "read"),
    **dict.fromkeys(("models", "model", "history", "live_at"), "read"),
    **dict.fromkeys(("inspect", "predict", "predict_records"), "predict"),
    **dict.fromkeys(("start_training", "cancel"), "train"),
}
"""What a call of the backend takes; the others are the administrator's."""
NAMES = ("name", "preferred_username", "email", "sub")
KEPT = "kept_caller"


def has_login() -> bool:
    """Whether the operator has set up a login (``[auth]`` in Streamlit's secrets)."""
    return bool(st.secrets.load_if_toml_exists()) and "auth" in st.secrets


def asks() -> bool:
    """Whether the pages ask their visitors who they are."""
    return has_login() or bool(settings().api_tokens)


def caller() -> Identity:
    """Give whoever uses this session. Raises NotIdentified, NotAllowed."""
    if has_login():
        if st.user.is_logged_in:
            return identity_of(st.user.to_dict(), settings())
    elif not settings().api_tokens:
        return ANYBODY
    elif KEPT in st.session_state:
        return cast(Identity, st.session_state[KEPT])
    raise NotIdentified(message("Log in first."))


def may(role: Role) -> bool:
    """Whether whoever uses this session may do what takes a role."""
    return caller().may(role)


def may_open(page: str) -> bool:
    """Whether whoever uses this session may open a page."""
    return may(PAGES.get(page, "read"))


def identity_of(claims: Mapping[str, Any], settings: Settings) -> Identity:
    """Give a login's name, and the highest role that its claim names.

    Raises
    ------
    NotAllowed
        It names none.
    """
    name = next((str(claims[key]) for key in NAMES if claims.get(key)), "?")
    named = {*_values(claims, settings.login_claim), "*"}
    roles = [role for value, role in settings.login_roles.items() if value in named]
    if not roles:
        raise NotAllowed(
            message("The account {name} has no role here: ask the administrator.", name=name)
        )
    return Identity(name, max(roles, key=ROLES.index))


def _values(claims: Mapping[str, Any], path: str) -> Iterator[str]:
    """The values of a claim; ``realm_access.roles`` is one inside another."""
    found: Any = claims
    for part in (path,) if path in claims else path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    for value in found if isinstance(found, list | tuple) else [found]:
        if value is not None:
            yield str(value)


class Guarded:
    """A backend that refuses what its caller's role may not do, and signs what they decide.

    Parameters
    ----------
    backend
        What does the work.
    who
        For whom.
    """

    def __init__(self, backend: Backend, who: Identity) -> None:
        self._backend, self._who = backend, who

    def __getattr__(self, call: str) -> Any:
        require(self._who, CALLS.get(call, "admin"))
        return getattr(self._backend, call)

    def start_training(
        self, source: BinaryIO, options: TrainingOptions, *, file_name: str = ""
    ) -> Job:
        """Start a training in the caller's name."""
        require(self._who, "train")
        check_options(self._who, options, settings().promotion)
        signed = replace(options, author=options.author or self._who.name)
        return self._backend.start_training(source, signed, file_name=file_name)

    def promote(self, version: str, *, author: str = "", reason: str = "") -> ModelVersion:
        """Make a version serve, in the caller's name."""
        require(self._who, "admin")
        return self._backend.promote(version, author=author or self._who.name, reason=reason)

    def rollback(self, *, author: str = "", reason: str = "") -> ModelVersion:
        """Go back to the version before, in the caller's name."""
        require(self._who, "admin")
        return self._backend.rollback(author=author or self._who.name, reason=reason)


def guarded(backend: Backend) -> Backend:
    """Give a backend as far as whoever uses this session may use it."""
    who = caller()
    return backend if who is ANYBODY else cast(Backend, Guarded(backend, who))

"""What a reader of the pages may see and do, by their role; and how they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loanapp.core.access import ROLES, Identity, Token, make_token
from loanapp.core.answers import TrainingOptions
from loanapp.core.errors import NotAllowed
from loanapp.core.service import Service
from loanapp.core.settings import Settings
from loanapp.ui.access import CALLS, Guarded, identity_of
from loanapp.ui.backend import Backend

TOKENS: dict[str, tuple[str, Token]] = {role: make_token(f"{role}er", role) for role in ROLES}


@pytest.fixture
def guarded_service(
    two_versions_home: Path, make_settings: Callable[..., Settings]
) -> Iterator[Service]:
    kept = tuple(token for _, token in TOKENS.values())
    with closing(Service(make_settings(two_versions_home, api_tokens=kept))) as service:
        yield service


def log_in(session: Any, token: str) -> Any:
    session.run()
    session.test.text_input(key="token").set_value(token)
    return session.click("login")


def test_with_tokens_nobody_sees_a_page_without_one(
    guarded_service: Service, visiting: Callable[..., Any]
) -> None:
    session = visiting(guarded_service)
    log_in(session, "loanapp_wrong")
    assert session.title == "Loanapp"
    assert "jeton n’est pas connu" in session.texts
    assert not session.test.metric
    assert not session.test.sidebar.children


@pytest.mark.parametrize("role", ROLES)
def test_pages_and_buttons_are_those_of_the_role(
    guarded_service: Service, visiting: Callable[..., Any], role: str
) -> None:
    rank = ROLES.index(role)  # type: ignore[arg-type]
    session = log_in(visiting(guarded_service), TOKENS[role][0])
    assert f"{role}er · {role}" in session.texts
    session.open("models")
    assert session.has("rollback") == (role == "admin")
    session.test.selectbox(key="chosen_version").select("1")
    assert session.run().has("promote") == (role == "admin")
    for page, least in (("predict", 1), ("simulate", 1), ("train", 2)):
        if rank >= least:
            assert session.open(page).title != "Loanapp"
        else:
            with pytest.raises(ValueError, match="navigation page"):
                session.open(page)


def test_who_leaves_is_asked_again(guarded_service: Service, visiting: Callable[..., Any]) -> None:
    session = log_in(visiting(guarded_service), TOKENS["admin"][0])
    session.click("logout")
    assert [field.key for field in session.test.text_input] == ["token"]


class Recorder:
    """A backend that notes what reaches it."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, Any]] = []

    def __getattr__(self, call: str) -> Callable[..., None]:
        return lambda *args, **kwargs: self.reached.append((call, (args, kwargs)))


def test_the_service_refuses_what_a_role_may_not_do() -> None:
    """Whatever a page shows: each call of the backend, by each role."""
    calls = [name for name in vars(Backend) if not name.startswith("_")]
    arguments = {"start_training": (None, TrainingOptions()), "promote": ("1",), "rollback": ()}
    needed = {**CALLS, "promote": "admin", "rollback": "admin"}
    assert set(calls) == set(needed)
    for role in ROLES:
        for call in calls:
            recorder = Recorder()
            guarded = Guarded(recorder, Identity("Zoé", role))  # type: ignore[arg-type]
            allowed = ROLES.index(role) >= ROLES.index(needed[call])
            if allowed:
                getattr(guarded, call)(*arguments.get(call, ()))
                assert recorder.reached[0][0] == call
            else:
                with pytest.raises(NotAllowed):
                    getattr(guarded, call)(*arguments.get(call, ()))
                assert not recorder.reached


def test_decisions_are_signed_with_the_name() -> None:
    recorder = Recorder()
    guarded = Guarded(recorder, Identity("Zoé", "admin"))  # type: ignore[arg-type]
    guarded.promote("2")
    guarded.rollback(author="Camille")
    guarded.start_training(None, TrainingOptions())  # type: ignore[arg-type]
    (_, promoted), (_, back), (_, trained) = recorder.reached
    assert promoted[1]["author"] == "Zoé"
    assert back[1]["author"] == "Camille"
    assert trained[0][1].author == "Zoé"


@pytest.mark.parametrize(
    ("claims", "changes", "role"),
    [
        ({"roles": ["train", "read"]}, {}, "train"),
        ({"roles": "predict"}, {}, "predict"),
        ({"groups": ["g-risk"]}, {"login_claim": "groups", "login_roles": "g-risk=admin"}, "admin"),
        ({"realm_access": {"roles": ["read"]}}, {"login_claim": "realm_access.roles"}, "read"),
        ({"https://x/roles": ["read"]}, {"login_claim": "https://x/roles"}, "read"),
        ({}, {"login_roles": "*=predict, boss=admin"}, "predict"),
        ({"roles": ["root"]}, {}, None),
        ({}, {}, None),
        ({"roles": {"admin": 1}}, {}, None),
    ],
)
def test_a_logins_role_is_what_its_claim_says(
    tmp_path: Path, make_settings: Callable[..., Settings], claims: dict[str, Any],
    changes: dict[str, Any], role: str | None,
) -> None:  # fmt: skip
    settings = make_settings(tmp_path, **changes)
    if role is None:
        with pytest.raises(NotAllowed):
            identity_of({"name": "Zoé", **claims}, settings)
    else:
        assert identity_of({"name": "Zoé", **claims}, settings) == Identity("Zoé", role)  # type: ignore[arg-type]

"""The pages behind a login: a browser goes to the provider and comes back with a role."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

Listening = Callable[..., AbstractContextManager[str]]
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


class Provider:
    """An OpenID Connect provider that believes everybody."""

    def __init__(self) -> None:
        self.url, self.claims, self.nonces = "", dict[str, Any](), dict[str, str]()
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", self.keys),
            ]
        )

    async def configuration(self, _: Request) -> JSONResponse:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def authorize(self, request: Request) -> RedirectResponse:
        asked = request.query_params
        code = f"code-{len(self.nonces)}"
        self.nonces[code] = asked["nonce"]
        answer = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{answer}")

    async def token(self, request: Request) -> JSONResponse:
        nonce = self.nonces.pop(str((await request.form())["code"]))
        now = int(time.time())
        claims = {"iss": self.url, "aud": "loanapp", "sub": "42", "iat": now, "exp": now + 600}
        claims |= {"nonce": nonce, **self.claims}
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": signed})

    async def keys(self, _: Request) -> JSONResponse:
        return JSONResponse({"keys": [KEY.as_dict(private=False)]})


@pytest.fixture
def provider(listening: Listening) -> Iterator[Provider]:
    provider = Provider()
    with listening(provider.app) as url:
        provider.url = url
        yield provider


@pytest.fixture
def behind_login(
    provider: Provider, home: Path, serving: Callable[..., Any], listening: Listening
) -> Any:
    """The application with a login; roles are the provider's groups."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (home / ".streamlit").mkdir(exist_ok=True)
    (home / ".streamlit" / "secrets.toml").write_text(
        f"""[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "loanapp"
client_secret = "secret"
server_metadata_url = "{provider.url}/.well-known/openid-configuration"
"""
    )
    return serving(
        home,
        port=port,
        LOANAPP_LOGIN_CLAIM="groups",
        LOANAPP_LOGIN_ROLES="g-analysts=predict, g-risk=admin",
    )


def test_a_login_gives_the_role_of_its_group(
    provider: Provider, behind_login: Any, visit: Callable[..., Any]
) -> None:
    provider.claims = {"name": "Camille Martin", "groups": ["staff", "g-analysts"]}
    somebody = visit(behind_login.url).goto()
    somebody.has("login")
    assert somebody.page.locator("[data-testid=stMetric]").count() == 0
    somebody.click("login").sees("Camille Martin · predict")
    links = somebody.page.locator("[data-testid=stSidebarNav] a").all_inner_texts()
    assert "Prédire" in str(links)
    assert "Entraîner" not in str(links)
    somebody.goto("train").is_calm()
    assert somebody.page.locator(".st-key-train").count() == 0
    somebody.page.keyboard.press("Escape")  # there is no such page for this role
    somebody.click("logout").has("login")


def test_an_account_without_a_role_sees_nothing(
    provider: Provider, behind_login: Any, visit: Callable[..., Any]
) -> None:
    provider.claims = {"name": "Dominique", "groups": ["staff"]}
    somebody = visit(behind_login.url).goto()
    somebody.click("login").sees("aucun rôle")
    assert somebody.page.locator("[data-testid=stSidebarNav] a").count() == 0
    somebody.is_calm()


def test_pages_load_nothing_from_elsewhere(shared: Any, visit: Callable[..., Any]) -> None:
    """Neither the pages nor the API's documentation; and their policy blocks nothing of theirs."""
    somebody = visit(shared.url)
    asked: list[str] = []
    blocked: list[str] = []
    somebody.page.on("request", lambda request: asked.append(request.url))
    somebody.page.on(
        "console",
        lambda said: blocked.append(said.text) if "Content Security" in said.text else None,
    )
    for page in ("", "predict", "simulate", "models", "settings"):
        somebody.goto(page)
    somebody.page.goto(f"{shared.url}/api/docs")
    somebody.page.locator("#operations-prediction-predict_predict_post").wait_for()
    assert [url for url in asked if not url.startswith((shared.url, "data:", "blob:"))] == []
    assert blocked == []
    assert httpx.get(f"{shared.url}/api/health").status_code == 200

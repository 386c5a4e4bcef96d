"""The pages: reached from where the settings let them, by their own names, from their own page."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import psutil
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from loanapp.core.settings import Settings
from loanapp.ui.gate import Gate

FAR, NEAR = ("203.0.113.9", 40_000), ("127.0.0.1", 40_000)
Program = Callable[..., AbstractContextManager[tuple[int, psutil.Process]]]
Entering = Callable[..., TestClient]


async def page(_: object) -> PlainTextResponse:
    return PlainTextResponse("inside")


async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("inside")


@pytest.fixture
def entering(tmp_path: Path, make_settings: Callable[..., Settings]) -> Entering:
    """Come to the gate of some pages."""
    routes = [
        Route("/{path:path}", page, methods=["GET", "PUT", "POST", "DELETE"]),
        WebSocketRoute("/_stcore/stream", stream),
    ]

    def enter(client: tuple[str, int], *, asks: bool = False, **changes: object) -> TestClient:
        settings = make_settings(tmp_path, **changes)
        return TestClient(Gate(Starlette(routes=routes), settings, lambda: asks), client=client)

    return enter


def gets_in(client: TestClient, **headers: str) -> bool:
    """Over a websocket, which is how Streamlit talks."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with client.websocket_connect("/_stcore/stream", headers=sent) as socket:
            return bool(socket.receive_text() == "inside")
    except WebSocketDisconnect:
        return False


def test_without_a_login_only_this_machine_sees_the_pages(entering: Entering) -> None:
    far = entering(FAR)
    for path in ("/", "/train", "/static/x.js", "/_stcore/host-config", "/auth/login"):
        answer = far.get(path)
        assert answer.status_code == 401
        assert "inside" not in answer.text
    assert not gets_in(far)
    assert far.put("/_stcore/upload_file/a/b").status_code == 401
    assert far.get("/_stcore/health").status_code == 200
    assert entering(NEAR).get("/").text == "inside"
    assert gets_in(entering(NEAR))


def test_with_a_login_or_by_the_operators_word_all_do(entering: Entering) -> None:
    for client in (entering(FAR, asks=True), entering(FAR, allow_anonymous=True)):
        assert client.get("/").text == "inside"
        assert gets_in(client)


def test_the_refusal_is_in_the_readers_language(entering: Entering) -> None:
    french = entering(FAR).get("/", headers={"Accept-Language": "fr-FR"}).text
    english = entering(FAR).get("/", headers={"Accept-Language": "en"}).text
    assert 'lang="fr"' in french
    assert "login" in english


def test_no_foreign_page_talks_to_ours(entering: Entering) -> None:
    """Over the websocket (cross-site hijacking) and with an upload, from wherever it comes."""
    client = entering(NEAR)
    hosts = {"localhost:8501": True, "evil.example": False, "127.0.0.1.nip.io:8501": False}
    for host, own in hosts.items():
        for origin in (f"http://{host}", "http://evil.example", "http://localhost:3000", "null"):
            let_in = own and origin == f"http://{host}"
            headers = {"Host": host, "Origin": origin}
            assert gets_in(client, **headers) == let_in, (host, origin)
            for method, path in itertools.product(("PUT", "POST", "DELETE"), ("/a", "/_stcore/b")):
                answer = client.request(method, path, headers=headers)
                assert (answer.status_code == 200) == let_in
    assert not gets_in(client, Host="localhost", Sec_Fetch_Site="cross-site")


@pytest.fixture(scope="module")
def served(trained_home: Path, program: Program) -> Iterator[int]:
    with program(trained_home, "serve") as (port, _):
        yield port


@pytest.mark.slow
def test_the_application_itself_stands_behind_the_gate(served: int) -> None:
    url = f"http://127.0.0.1:{served}"
    page = httpx.get(url)
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert httpx.get(url, headers=headers).status_code in (403, 421)
        assert httpx.get(f"{url}/api/models", headers=headers).status_code in (403, 421)
    stream = f"ws://127.0.0.1:{served}/_stcore/stream"
    with connect(stream, origin=url) as socket:  # type: ignore[arg-type]
        assert socket.protocol.state.name == "OPEN"
    with pytest.raises(InvalidStatus), connect(stream, origin="http://evil.example"):  # type: ignore[arg-type]
        pass


@pytest.mark.slow
def test_an_upload_to_the_pages_is_limited_too(served: int) -> None:
    url = f"http://127.0.0.1:{served}/_stcore/upload_file/none/none"
    answer = httpx.put(url, files={"file": ("a.csv", b"age\n1\n")})
    assert answer.status_code in (400, 403)

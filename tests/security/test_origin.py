"""What a stranger's page can make its visitor's browser send: nothing that is answered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from loanapp.api.app import create_app
from loanapp.core.service import Service
from loanapp.web import origin

OWN_HOSTS = ("localhost:8000", "127.0.0.1:8000", "[::1]:8000", "api:8000", "LOCALHOST.")
FOREIGN_HOSTS = (
    *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io"),
    *("169.254.169.254", "localhost:8000@evil.example", "localhost:port", "", "evil.localhost"),
)
FOREIGN_ORIGINS = (
    *("http://evil.example", "null", "https://localhost.evil.example", "http://localhost:3000"),
    *("file://", "http://localhost:8000.evil.example", "chrome-extension://abc"),
)
METHODS = (("GET", "/models"), ("POST", "/predict"), ("POST", "/models/rollback"))


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service, service.settings), client=("127.0.0.1", 1)) as client:
        yield client


def test_no_foreign_host_or_origin_is_let_through(client: TestClient) -> None:
    """Every combination, the two forms of an upload among them."""
    hosts = [(host, True) for host in OWN_HOSTS] + [(host, False) for host in FOREIGN_HOSTS]
    tried = 0
    for (host, own), (method, path) in itertools.product(hosts, METHODS):
        same = f"http://{host}"
        for sent in (None, same, *FOREIGN_ORIGINS):
            headers = {"Host": host} | ({"Origin": sent} if sent else {})
            answer = client.request(method, path, headers=headers)
            let_through = own and sent in (None, same)
            assert (answer.status_code not in (403, 421)) == let_through, (host, sent, method)
            tried += 1
    assert tried > 300


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_of_another_site_sends_nothing(client: TestClient, site: str) -> None:
    """CORS does not stop a multipart form, and old browsers name no origin."""
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    for path in ("/train", "/predict", "/inspect"):
        answer = client.post(path, headers=headers, files={"file": ("a.csv", b"age\n1\n")})
        assert answer.status_code == 403, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.delete("/jobs/none", headers=headers).status_code == 403


def test_a_link_from_another_site_leads_here(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/docs", headers=headers).status_code == 200


def test_our_own_page_may_send(client: TestClient) -> None:
    for host, sent in (
        ("localhost", "http://localhost"),
        ("localhost:443", "https://localhost"),
        ("api", "https://api"),
    ):
        headers = {"Host": host, "Origin": sent, "Sec-Fetch-Site": "same-origin"}
        assert client.post("/predict", headers=headers, content=b"x").status_code == 422


def test_two_hosts_are_none(client: TestClient) -> None:
    headers = [("Host", "localhost"), ("Host", "evil.example")]
    scope = {
        "type": "http",
        "method": "GET",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "server": ("127.0.0.1", 8000),
    }
    with pytest.raises(origin.RequestRefused):
        origin.check_host(scope, ())


def test_a_server_answers_to_the_address_that_was_called() -> None:
    """Rebinding needs a name: an address in `Host` is the connection's own, or refused."""
    for server, host, right in (
        ("192.168.1.5", "192.168.1.5:8501", True),
        ("192.168.1.5", "192.168.1.6:8501", False),
        ("fe80::1", "[fe80::1]:8501", True),
        ("10.0.0.1", "server", False),
    ):
        scope = {"type": "http", "headers": [(b"host", host.encode())], "server": (server, 8501)}
        if right:
            origin.check_host(scope, ())
        else:
            with pytest.raises(origin.RequestRefused):
                origin.check_host(scope, ())


def test_every_answer_tells_the_browser_what_not_to_do(client: TestClient) -> None:
    for answer in (
        client.get("/health"),
        client.get("/nowhere"),
        client.get("/models", headers={"Host": "evil.example"}),
        client.get("/docs"),
    ):
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers

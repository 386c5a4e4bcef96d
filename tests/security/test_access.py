"""Who is let in, from where, and how far: tokens, roles, and this machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from loanapp.api.app import create_app
from loanapp.api.roles import ROLES, role_for
from loanapp.core import access
from loanapp.core.access import make_token, parse_tokens
from loanapp.core.service import Service
from loanapp.core.settings import Settings

FAR = ("203.0.113.9", 40_000)
Calling = Callable[..., TestClient]


@pytest.fixture(scope="module")
def tokens() -> dict[str, tuple[str, access.Token]]:
    return {role: make_token(f"{role}er", role) for role in access.ROLES}


@pytest.fixture
def calling_as(service: Service, tokens: dict[str, tuple[str, access.Token]]) -> Calling:
    """Call an API that has tokens."""
    kept = tuple(token for _, token in tokens.values())
    app = create_app(service, service.settings.model_copy(update={"api_tokens": kept}))

    def client(role: str | None = None, **options: object) -> TestClient:
        made = TestClient(app, raise_server_exceptions=False, **options)  # type: ignore[arg-type]
        if role:
            made.headers["Authorization"] = f"Bearer {tokens[role][0]}"
        return made

    return client


def every_route(app: object) -> list[tuple[str, str]]:
    document = TestClient(app).get("/openapi.json").json()  # type: ignore[arg-type]
    return [
        (method.upper(), re.sub(r"\{\w+\}", "1", path))
        for path, operations in document["paths"].items()
        for method in operations
    ]


def test_without_tokens_nothing_beyond_this_machine_is_answered(service: Service) -> None:
    app = create_app(service, service.settings)
    far = TestClient(app, client=FAR)
    routes = [*every_route(app), ("GET", "/docs"), ("GET", "/"), ("GET", "/openapi.json")]
    routes += [("GET", "/nowhere"), ("PUT", "/train"), ("OPTIONS", "/predict")]
    for method, path in routes:
        answer = far.request(method, path, headers={"Host": "evil.example"} if "j" in path else {})
        if path == "/health":
            assert answer.status_code == 200
            continue
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["type"] == "urn:problem-type:loanapp:not-identified"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_token_where_there_is_none(service: Service, address: str) -> None:
    near = TestClient(create_app(service, service.settings), client=(address, 1))
    assert near.get("/models").status_code == 200


@pytest.mark.parametrize("address", ["10.0.0.7", "::ffff:10.0.0.7", "localhost", "", "0.0.0.0"])
def test_other_machines_do(service: Service, address: str) -> None:
    far = TestClient(create_app(service, service.settings), client=(address, 1))
    assert far.get("/models").status_code == 401


def test_others_are_answered_where_the_operator_says_so(service: Service) -> None:
    settings = service.settings.model_copy(update={"allow_anonymous": True})
    far = TestClient(create_app(service, settings), client=FAR)
    assert far.get("/models").status_code == 200
    assert far.get("/docs").status_code == 200


def test_with_tokens_this_machine_needs_one_too(calling_as: Calling) -> None:
    for near in (calling_as(), calling_as(client=("127.0.0.1", 1))):
        assert near.get("/models").status_code == 401
        assert near.get("/health").status_code == 200
        assert near.get("/docs").status_code == 200
    assert calling_as(client=FAR).get("/docs").status_code == 401
    assert calling_as("read", client=FAR).get("/models").status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", "Basic cmVhZDo=", "bearer", "Bearer \xff\xfe"]
)
def test_a_wrong_token_is_no_token(calling_as: Calling, header: str) -> None:
    answer = calling_as().get("/models", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_each_role_reaches_as_far_as_the_table_says(calling_as: Calling) -> None:
    calls = [call for call in every_route(calling_as("admin").app) if call[1] != "/health"]
    for number, role in enumerate(access.ROLES):
        client = calling_as(role)
        for method, path in calls:
            needed = access.ROLES.index(role_for(method, path))  # type: ignore[arg-type]
            refused = client.request(method, path).status_code == 403
            assert refused == (needed > number), (role, method, path)


def test_every_route_has_its_place_in_the_table(service: Service) -> None:
    app = create_app(service, service.settings)
    document = TestClient(app).get("/openapi.json").json()
    routes = {f"{m.upper()} {path}" for path, ops in document["paths"].items() for m in ops}
    assert routes <= set(ROLES)
    assert [route for route, role in ROLES.items() if role is None] == ["GET /health"]


def test_what_is_in_no_table_is_the_administrators(calling_as: Calling) -> None:
    assert calling_as("train").get("/nowhere").status_code == 403
    assert calling_as("admin").get("/nowhere").status_code == 404


def test_a_trainer_cannot_make_a_model_live_where_the_operator_keeps_that(
    service: Service, tokens: dict[str, tuple[str, access.Token]], training_csv: bytes
) -> None:
    kept = tuple(token for _, token in tokens.values())
    changes = {"api_tokens": kept, "promotion": "manual"}
    app = create_app(service, service.settings.model_copy(update=changes))
    client = TestClient(app, headers={"Authorization": f"Bearer {tokens['train'][0]}"})
    for place in ({"params": {"promotion": "always"}}, {"data": {"promotion": "better"}}):
        answer = client.post("/train", files={"file": ("a.csv", training_csv)}, **place)  # type: ignore[arg-type]
        assert answer.status_code == 403, answer.text
        assert "admin" in answer.json()["detail"]


def test_a_decision_is_the_tokens_where_it_names_nobody(
    calling_as: Calling, two_versions_home: Path, copying: Callable[[Path, Path], Path],
    tmp_path: Path, make_settings: Callable[..., Settings],
    tokens: dict[str, tuple[str, access.Token]],
) -> None:  # fmt: skip
    settings = make_settings(copying(two_versions_home, tmp_path / "two"))
    service = Service(settings)
    try:
        token, kept = tokens["admin"]
        app = create_app(service, settings.model_copy(update={"api_tokens": (kept,)}))
        client = TestClient(app, headers={"Authorization": f"Bearer {token}"})
        assert client.post("/models/rollback").status_code == 200
        assert client.post("/models/2/promote", json={"author": "Camille"}).status_code == 200
        authors = [entry["author"] for entry in client.get("/history").json()]
        assert authors[:2] == ["Camille", "adminer"]
    finally:
        service.close()


def test_refusals_are_in_the_readers_language(calling_as: Calling) -> None:
    french = {"Accept-Language": "fr"}
    assert "jeton" in calling_as().get("/models", headers=french).json()["detail"]
    assert "rôle" in calling_as("read").post("/train", headers=french).json()["detail"]


def test_the_document_asks_for_a_token_where_calls_do(calling_as: Calling) -> None:
    document = calling_as().get("/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert bool(operation.get("security")) == (path != "/health")


def test_the_documentation_needs_nobody_else(api_client: TestClient) -> None:
    page = api_client.get("/docs")
    addresses = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
    assert len(addresses) == 3
    for address in addresses:
        assert address.startswith("/docs/files/")
        assert api_client.get(address).status_code == 200
    assert "http" not in page.headers["content-security-policy"]
    assert "cdn" not in page.text


def test_too_many_requests_of_one_token_have_to_wait(
    service: Service, tokens: dict[str, tuple[str, access.Token]]
) -> None:
    kept = tuple(token for _, token in tokens.values())
    changes = {"api_tokens": kept, "requests_per_s": 5}
    client = TestClient(create_app(service, service.settings.model_copy(update=changes)))
    as_reader = {"Authorization": f"Bearer {tokens['read'][0]}"}
    answers = [client.get("/schema", headers=as_reader) for _ in range(30)]
    late = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(late) in range(10, 20)
    assert int(late[-1].headers["retry-after"]) >= 1
    assert late[-1].headers["content-type"] == "application/problem+json"
    as_other = {"Authorization": f"Bearer {tokens['admin'][0]}"}
    assert client.get("/schema", headers=as_other).status_code == 200
    assert client.get("/health").status_code == 200


def test_this_machines_own_programs_are_not_counted(
    service: Service, calling: Callable[..., AbstractContextManager[TestClient]]
) -> None:
    with calling(service, requests_per_s=1) as client:
        assert {client.get("/schema").status_code for _ in range(20)} == {200}


def test_tokens_are_read_from_a_line_or_a_file(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    first, second = make_token("ci", "train")[1], make_token("camille@bank", "admin")[1]
    file = tmp_path / "tokens"
    file.write_text(f"# who may do what\n{first.line}  # the builds\n\n{second.line}\n")
    for given in (f"{first.line},{second.line}", str(file)):
        assert make_settings(tmp_path, api_tokens=given).api_tokens == (first, second)
    assert make_settings(tmp_path, api_tokens="").api_tokens == ()


@pytest.mark.parametrize("given", ["a:root:" + "0" * 64, "no-such-file", "a:read", "x:read:12"])
def test_tokens_that_cannot_be_read_keep_the_server_from_starting(
    tmp_path: Path, make_settings: Callable[..., Settings], given: str
) -> None:
    with pytest.raises(ValidationError):
        make_settings(tmp_path, api_tokens=given)


def test_a_file_without_tokens_opens_nothing(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    (tmp_path / "tokens").write_text("# nobody yet\n")
    with pytest.raises(ValidationError, match="no token"):
        make_settings(tmp_path, api_tokens=str(tmp_path / "tokens"))


def test_a_token_cannot_be_read_from_what_is_kept_of_it() -> None:
    drawn, kept = make_token("ci", "read")
    assert drawn not in kept.line
    assert drawn.removeprefix(access.PREFIX) not in repr(kept)
    assert kept.digest not in repr(kept)
    assert parse_tokens(kept.line) == (kept,)
    with pytest.raises(ValueError, match="twice"):
        parse_tokens(f"{kept.line}\n{kept.line}")

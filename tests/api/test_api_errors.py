"""Whatever a client sends wrong: a 4xx problem+json that says what, where and what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from loanapp.api.errors import RULES
from loanapp.core.data.schema import Schema
from loanapp.core.errors import LoanappError, TrainingBusy, TrainingFailed, message
from loanapp.core.service import Service

CSV = {"Content-Type": "text/csv"}
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))


def problem_of(answer: Response) -> dict[str, Any]:
    """Check that an answer is a problem as RFC 9457 has it, and give it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(problem)
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


@pytest.mark.parametrize("path", ["/predict", "/train", "/inspect"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"files": {"wrong": ("a.csv", b"x")}}, 422),
        ({"data": {"file": "not a file"}, "files": {"other": ("a", b"")}}, 422),
        ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, (400, 415)),
        ({"json": {"rows": []}}, (415, 422)),
        ({"json": {"clients": "all"}}, (415, 422)),
        ({"json": {"clients": [1]}}, (415, 422)),
        ({"json": []}, (415, 422)),
    ],
)
def test_a_body_without_a_file_is_told_what_to_send(
    api_client: TestClient, path: str, body: dict[str, Any], status: int | tuple[int, ...]
) -> None:
    answer = api_client.post(path, **body)
    problem = problem_of(answer)
    assert problem["status"] in (status if isinstance(status, tuple) else (status,))
    assert problem["type"].endswith("invalid-request")
    assert problem["detail"]


@pytest.mark.parametrize("path", ["/predict", "/train"])
@pytest.mark.parametrize("file", [b"", b"\n\n", PNG, b"\x00" * 1000, b"a,b\n1,2\n"])
def test_what_is_no_client_file_is_refused(api_client: TestClient, path: str, file: bytes) -> None:
    for sent in ({"files": {"file": ("f.csv", file)}}, {"content": file, "headers": CSV}):
        problem = problem_of(api_client.post(path, **sent))
        assert problem["status"] == 422
        assert problem["type"].endswith("invalid-table")
        assert problem["problem_count"] >= len(problem["problems"]) > 0


def test_every_problem_of_a_file_has_its_row_and_column(
    api_client: TestClient, schema: Schema, clients_csv: bytes
) -> None:
    header, *rows = clients_csv.decode().splitlines()
    names = header.split(",")
    number = next(f.name for f in schema.features() if f.is_numeric)
    category = next(f.name for f in schema.features() if f.enum)
    cells = [row.split(",") for row in rows]
    cells[0][names.index(number)] = "beaucoup"
    cells[4][names.index(category)] = "jamais vu"
    file = "\n".join([header, *(",".join(row) for row in cells)])
    problem = problem_of(api_client.post("/predict", content=file.encode(), headers=CSV))
    places = {(p["row"], p["column"], p["value"]) for p in problem["problems"]}
    assert places == {(2, number, "beaucoup"), (6, category, "jamais vu")}
    assert problem["problem_count"] == 2


def test_the_first_hundred_problems_are_shown_and_all_are_counted(
    api_client: TestClient, schema: Schema
) -> None:
    from loanapp.core.data.samples import sample_csv

    file = sample_csv(schema, 300, target=False).decode()
    category = next(f for f in schema.features() if f.enum)
    for known in category.enum:
        file = file.replace(f",{known},", f",{known}?,")
    problem = problem_of(api_client.post("/predict", content=file.encode(), headers=CSV))
    assert len(problem["problems"]) == 100
    assert problem["problem_count"] >= 300


def test_a_file_without_the_target_cannot_be_trained_on(
    api_client: TestClient, schema: Schema, clients_csv: bytes
) -> None:
    problem = problem_of(api_client.post("/train", content=clients_csv, headers=CSV))
    assert [p["column"] for p in problem["problems"]] == [schema.target.name]


def test_texts_come_in_the_readers_language(api_client: TestClient) -> None:
    def detail(language: str) -> str:
        answer = api_client.get("/models/999", headers={"Accept-Language": language})
        assert answer.headers["content-language"] == language.split("-")[0]
        text: str = problem_of(answer)["title"]
        return text

    assert detail("fr-FR") != detail("en")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", "/predict", 405),
        ("PATCH", "/models", 405),
        ("GET", "/models/999", 404),
        ("GET", "/models/..%2f..%2fetc", 404),
        ("POST", "/models/999/promote", 404),
        ("POST", "/models/rollback", 404),
        ("GET", "/jobs/none", 404),
        ("GET", "/jobs/none/events", 404),
        ("DELETE", "/jobs/none", 404),
        ("GET", "/history?at=yesterday", 422),
        ("GET", "/history?at=0001-01-01T00:00:00%2B14:00", 422),
        ("POST", "/predict?skip_invalid=perhaps", 422),
        ("POST", "/inspect?purpose=fun", 422),
        ("POST", "/train?seed=-1", 422),
        ("POST", "/train?promotion=never", 422),
    ],
)
def test_every_refusal_is_a_problem(
    api_client: TestClient, method: str, path: str, status: int
) -> None:
    assert problem_of(api_client.request(method, path))["status"] == status


@pytest.mark.parametrize(
    "body",
    [b"[]", b'{"author": 3}', b'{"author": "\\ud800"}', b'{"author": "' + b"x" * 600 + b'"}'],
)
def test_a_bad_decision_changes_nothing(api_client: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api_client.post("/models/1/promote", content=body, headers=headers)
    problem = problem_of(answer)
    assert problem["status"] == 422
    assert problem["problems"][0]["column"].startswith("body")


def test_a_wrong_field_of_the_form_is_named(api_client: TestClient, training_csv: bytes) -> None:
    answer = api_client.post(
        "/train", files={"file": ("c.csv", training_csv)}, data={"seed": "one"}
    )
    problem = problem_of(answer)
    assert problem["problems"] == [
        {
            "row": None,
            "column": "body.seed",
            "value": "one",
            "problem": "It must be a whole number.",
        }
    ]


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 50_000):
        yield b"x" * 50_000


@pytest.mark.parametrize("path", ["/predict", "/train", "/inspect"])
def test_bytes_beyond_the_limit_are_refused_however_they_come(
    service: Service, calling: Callable[..., AbstractContextManager[TestClient]], path: str
) -> None:
    with calling(service, max_upload_mb=0.2) as client:
        for sent in (
            {"content": b"x" * 300_000, "headers": CSV},
            {"content": chunks(300_000), "headers": CSV},
            {"files": {"file": ("big.csv", b"x" * 300_000)}},
        ):
            problem = problem_of(client.post(path, **sent))
            assert problem["status"] == 413
            assert problem["type"].endswith("limit-exceeded")
            assert "0.2 MB" in problem["detail"]
        assert client.get("/health").status_code == 200


def test_a_small_body_is_all_that_other_calls_take(api_client: TestClient) -> None:
    answer = api_client.post(
        "/models/rollback",
        content=b'{"reason": "' + b" " * 200_000 + b'"}',
        headers={"Content-Type": "application/json"},
    )
    assert problem_of(answer)["status"] == 413


def test_every_error_of_the_core_has_its_status() -> None:
    kinds = LoanappError.__subclasses__()
    assert {kind for kind in kinds if kind.__module__ == "loanapp.core.errors"} == set(RULES)
    assert all(400 <= rule.status < 600 for rule in RULES.values())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TrainingBusy(message("busy"), "abc", 17), 409),
        (TrainingFailed(message("too few rows")), 422),
    ],
)
def test_errors_carry_what_the_caller_needs(
    service: Service,
    calling: Callable[..., AbstractContextManager[TestClient]],
    monkeypatch: pytest.MonkeyPatch,
    error: LoanappError,
    status: int,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(service, "start_training", refuse)
    with calling(service) as client:
        answer = client.post("/train", content=b"x", headers=CSV)
    problem = problem_of(answer)
    assert problem["status"] == status
    if isinstance(error, TrainingBusy):
        assert (problem["job_id"], answer.headers["retry-after"]) == ("abc", "17")


def test_a_bug_is_a_problem_that_leaks_nothing(
    service: Service,
    calling: Callable[..., AbstractContextManager[TestClient]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    clients_csv: bytes,
) -> None:
    cell = "Zoé " + "Martin"

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"the cell holds {cell}")

    monkeypatch.setattr(service, "predict_blocks", fail)
    with caplog.at_level(logging.INFO, "loanapp"), calling(service) as client:
        answer = client.post("/predict", content=clients_csv, headers=CSV)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Martin" not in answer.text
    lines = [" ".join(map(str, vars(record).values())) for record in caplog.records]
    assert not any("Martin" in line for line in lines)
    assert any("RuntimeError" in line and "fail" in line for line in lines)


def test_no_name_and_no_cell_reaches_the_log(
    api_client: TestClient, clients_csv: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "loanapp"):
        api_client.post("/predict", content=clients_csv, headers=CSV)
        api_client.post("/predict", content=clients_csv.replace(b",", b";", 40), headers=CSV)
    logged = " ".join(str(vars(record)) for record in caplog.records)
    cells = set(clients_csv.decode().replace("\n", ",").split(","))
    assert not [cell for cell in cells if len(cell) > 5 and f"'{cell}'" in logged]
    assert "/predict" in logged


def test_the_request_id_is_taken_over_or_made(api_client: TestClient) -> None:
    assert (
        api_client.get("/health", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"]
        == "abc-1"
    )
    forged = api_client.get("/health", headers={"X-Request-ID": "a b;c"}).headers["x-request-id"]
    assert forged != "a b;c"
    assert len(forged) == 32

"""Health, readiness, metrics, the contract and the API's own document."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount

from loanapp.api.app import create_app
from loanapp.api.metrics import shared_by_workers
from loanapp.core.data.schema import Schema
from loanapp.core.errors import StoreUnavailable
from loanapp.core.service import Service

CSV = {"Content-Type": "text/csv"}


def test_health_names_what_serves(api_client: TestClient) -> None:
    health = api_client.get("/health").json()
    assert (health["status"], health["model_version"]) == ("ok", "1")
    assert health["model_uri"] == "models:/loanapp/1"
    assert health["timestamp"]
    assert health["trained_at"]
    assert api_client.get("/ready").json() == {"status": "ready", "model_version": "1"}


def test_health_is_fine_without_a_model_and_readiness_is_not(empty_api_client: TestClient) -> None:
    health = empty_api_client.get("/health")
    assert (health.status_code, health.json()["model_available"]) == (200, False)
    ready = empty_api_client.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, 503)


def test_the_contract_is_given_as_it_is(api_client: TestClient, schema: Schema) -> None:
    assert api_client.get("/schema").json() == schema.document


def test_metrics_count_requests_and_rows_without_naming_anyone(
    api_client: TestClient, clients_csv: bytes
) -> None:
    api_client.post("/predict", content=clients_csv, headers=CSV)
    api_client.get("/models/12345")
    api_client.get("/no/such/path")
    lines = api_client.get("/metrics").text.splitlines()
    assert 'loanapp_predicted_rows_total{model_version="1"} 200.0' in lines
    assert 'loanapp_requests_total{method="POST",route="/predict",status="200"} 1.0' in lines
    assert (
        'loanapp_requests_total{method="GET",route="/models/{version}",status="404"} 1.0' in lines
    )
    assert 'loanapp_requests_total{method="GET",route="unmatched",status="404"} 1.0' in lines
    assert 'loanapp_model_info{version="1"} 1.0' in lines
    assert "loanapp_training_active 0.0" in lines
    assert "loanapp_model_reload_failures_total 0.0" in lines
    assert not any("12345" in line for line in lines)


def test_a_killed_server_s_metrics_are_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, running = (tmp_path / f"loanapp-metrics-{pid}-x" for pid in (ended.pid, os.getpid()))
    for folder in (left, running):
        folder.mkdir()
        (folder / "counter_1.db").touch()
    with shared_by_workers():
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == [running]


def test_health_answers_while_files_are_being_scored(
    service: Service,
    listening: Callable[..., AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many slow files as there are places, and more that wait for one."""
    release = threading.Event()

    def slow(*_: object, **__: object) -> None:
        release.wait(60)
        raise StoreUnavailable("enough")

    monkeypatch.setattr(service, "predict_blocks", slow)
    limits = httpx.Limits(max_connections=100)
    with (
        listening(create_app(service, service.settings)) as url,
        httpx.Client(base_url=url, timeout=60, limits=limits) as client,
        ThreadPoolExecutor(60) as pool,
    ):
        files = [pool.submit(client.post, "/predict", content=b"x") for _ in range(60)]
        try:
            time.sleep(0.5)
            assert client.get("/health", timeout=5).status_code == 200
            assert client.get("/jobs", timeout=5).status_code == 200
            assert not any(file.done() for file in files)
        finally:
            release.set()
        assert {file.result().status_code for file in files} == {503}


@pytest.fixture
def document(api_client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = api_client.get("/openapi.json").json()
    return document


def test_the_documented_examples_work(
    api_client: TestClient, document: dict[str, Any], schema: Schema
) -> None:
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    as_csv = api_client.post(
        "/predict", content=content["text/csv"]["example"].encode(), headers=CSV
    )
    as_json = api_client.post("/predict", json=content["application/json"]["example"])
    assert (as_csv.status_code, as_csv.json()["n_rows"]) == (200, 3)
    assert as_json.json()["predictions"] == pytest.approx(as_csv.json()["predictions"][:2])
    training = document["paths"]["/train"]["post"]["requestBody"]["content"]["text/csv"]
    assert schema.target.name in training["example"]
    inspected = api_client.post(
        "/inspect?purpose=train", content=training["example"].encode(), headers=CSV
    )
    assert inspected.json()["valid"] is True


def test_every_documented_error_is_problem_json(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            errors = {k: v for k, v in operation["responses"].items() if not k.startswith("2")}
            assert "default" in errors, (path, method)
            for answer in errors.values():
                assert set(answer["content"]) == {"application/problem+json"}
    assert "ProblemDetails" in document["components"]["schemas"]


def test_the_documentation_works_below_a_path(service: Service) -> None:
    api = create_app(service, service.settings)
    with TestClient(Starlette(routes=[Mount("/api", api)])) as client:
        assert "/api/openapi.json" in client.get("/api/docs").text
        assert client.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]
        assert client.get("/api/", follow_redirects=False).headers["location"] == "/api/docs"
        missing = client.get("/api/jobs/none").json()
        assert missing["instance"] == "/api/jobs/none"

"""Versions, promotion, rollback and history over REST."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from loanapp.api.app import create_app
from loanapp.core.service import Service
from loanapp.core.settings import Settings

CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def client(
    two_versions_home: Path,
    tmp_path: Path,
    copying: Callable[[Path, Path], Path],
    make_settings: Callable[[Path], Settings],
) -> Iterator[TestClient]:
    settings = make_settings(copying(two_versions_home, tmp_path / "twice"))
    with closing(Service(settings)) as service, TestClient(create_app(service, settings)) as client:
        yield client


def test_versions_are_listed_newest_first_with_their_metrics(client: TestClient) -> None:
    second, first = client.get("/models").json()
    assert (second["version"], second["champion"]) == ("2", True)
    assert (first["version"], first["champion"], first["author"]) == ("1", False, "Camille")
    assert first["metrics"]["MAE"] > 0
    details = client.get("/models/1").json()
    assert details["model"]["version"] == "1"
    assert details["evaluation"]["losses"]
    assert details["profile"]


def test_rollback_and_promotion_serve_at_once_and_are_on_record(
    client: TestClient, clients_csv: bytes
) -> None:
    def served() -> str:
        version: str = client.post("/predict", content=clients_csv, headers=CSV).json()[
            "model_version"
        ]
        return version

    assert served() == "2"
    decision = {"author": "Ada", "reason": "it drifts"}
    assert client.post("/models/rollback", json=decision).json()["version"] == "1"
    assert served() == "1"
    assert client.post("/models/2/promote").json()["champion"] is True
    assert served() == "2"
    promoted, rolled_back, *_ = client.get("/history").json()
    assert (promoted["action"], promoted["version"]) == ("promote", "2")
    assert (rolled_back["action"], rolled_back["author"]) == ("rollback", "Ada")
    assert rolled_back["reason"] == "it drifts"


def test_history_knows_what_was_live_at_a_moment(client: TestClient) -> None:
    second, first = client.get("/history").json()
    between = client.get("/history", params={"at": first["at"]}).json()
    assert [entry["version"] for entry in between] == ["1"]
    assert between[0]["metrics"]["MAE"] > 0
    assert between[0]["data_hash"] == client.get("/models").json()[1]["data_hash"]
    now = client.get("/history", params={"at": datetime.now(UTC).isoformat()}).json()
    assert [entry["version"] for entry in now] == [second["version"]]
    assert client.get("/history?at=2001-01-01").json() == []

"""POST /train and the jobs."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import Schema
from loanapp.core.service import Service

CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def other_csv(schema: Schema) -> bytes:
    return sample_csv(schema, 300, seed=5)


def test_training_answers_with_the_version_that_predicts_at_once(
    api_client: TestClient, home: Path, other_csv: bytes, clients_csv: bytes
) -> None:
    answer = api_client.post(
        "/train", files={"file": ("new.csv", other_csv)}, data={"author": "Ada", "seed": "3"}
    )
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert {"message", "run_id", "model_uri", "n_rows", "promoted", "comparison"} <= set(result)
    assert set(result["metrics"]) >= {"MAE", "MSE", "R2"}
    assert (result["model_version"], result["promoted"], result["n_rows"]) == ("2", True, 300)
    predicted = api_client.post("/predict", content=clients_csv, headers=CSV).json()
    assert predicted["model_version"] == "2"
    pointer = (home / "models" / "mlflow_model_uri.txt").read_text()
    assert pointer.strip() == result["model_uri"]
    newest = api_client.get("/models").json()[0]
    assert (newest["version"], newest["author"], newest["file_name"]) == ("2", "Ada", "new.csv")


def test_an_asynchronous_training_is_a_job_that_can_be_followed_and_stopped(
    api_client: TestClient, other_csv: bytes
) -> None:
    answer = api_client.post(
        "/train", content=other_csv, headers={**CSV, "Prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.text
    location = answer.headers["location"]
    assert answer.headers["preference-applied"] == "respond-async"
    assert location == f"/jobs/{answer.json()['id']}"
    busy = api_client.post("/train", content=other_csv, headers=CSV)
    assert busy.status_code == 409
    assert busy.json()["job_id"] == answer.json()["id"]
    assert int(busy.headers["retry-after"]) > 0
    assert api_client.get(location).json()["state"] in ("queued", "running")
    stopped = api_client.delete(location).json()
    assert stopped["state"] == "cancelled"
    events = _events(api_client, f"{location}/events")
    assert [event["state"] for event in events] == ["cancelled"]
    assert api_client.get("/jobs").json()[0]["id"] == answer.json()["id"]


def test_a_file_with_too_few_rows_is_no_server_error(
    api_client: TestClient, schema: Schema
) -> None:
    answer = api_client.post("/train", content=sample_csv(schema, 5), headers=CSV)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("training-failed")


def test_whoever_waits_for_a_cancelled_training_is_told(
    service: Service, api_client: TestClient, other_csv: bytes
) -> None:
    def cancel_when_running() -> None:
        while True:
            time.sleep(0.1)
            for job in service.jobs():
                if job.state == "running":
                    service.cancel(job.id)
                    return

    thread = threading.Thread(target=cancel_when_running)
    thread.start()
    answer = api_client.post("/train", content=other_csv, headers=CSV)
    thread.join()
    assert answer.status_code == 409
    assert answer.json()["state"] == "cancelled"
    assert answer.json()["job_id"]


def _events(client: TestClient, path: str) -> list[dict[str, Any]]:
    with client.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    return [json.loads(line[5:]) for line in lines if line.startswith("data:")]

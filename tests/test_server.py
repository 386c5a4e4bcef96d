"""The programs as they are started: what they load, what they answer, how they stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import Schema
from loanapp.server import listen

HEAVY = (
    "tensorflow", "keras", "mlflow", "pandas", "sklearn", "streamlit", "scipy", "babel",
    "opentelemetry.sdk",
)  # fmt: skip


@contextmanager
def started(
    home: Path, *arguments: str, port: int = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a program of the product; gives its address once it listens."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    command = [sys.executable, "-m", "loanapp", *arguments, "--port", str(port)]
    environment = {**os.environ, "LOANAPP_HOME": str(home)}
    process = subprocess.Popen(
        command, env=environment, cwd=home, stderr=subprocess.PIPE, text=True
    )
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str], within_s: float) -> str:
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=within_s)
    return errors


def test_a_serving_process_imports_nothing_heavy(home: Path, clients_csv: bytes) -> None:
    """From the start to an answered prediction."""
    program = """
import io, sys
from loanapp.server import create_api
from loanapp.core.settings import Settings
from fastapi.testclient import TestClient
api = create_api(Settings())
client = TestClient(api)
answer = client.post("/predict", content=sys.stdin.buffer.read())
assert answer.status_code == 200, answer.text
assert client.get("/metrics").status_code == 200
print(*sys.modules)
"""
    environment = {**os.environ, "LOANAPP_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=clients_csv,
        capture_output=True,
        env=environment,
        cwd=home,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    heavy = set(done.stdout.decode().split()) & set(HEAVY)
    assert heavy == set()


@pytest.mark.slow
def test_the_api_stops_cleanly_with_a_request_under_way(
    home: Path, schema: Schema, clients_csv: bytes
) -> None:
    """Whoever waits for a training is handed its job; an event stream ends; nobody is cut off."""
    with started(home, "api") as (url, process):
        answers: list[httpx.Response] = []
        trainer = threading.Thread(
            target=lambda: answers.append(
                httpx.post(f"{url}/train", content=sample_csv(schema, 2000), timeout=60)
            )
        )
        trainer.start()
        while (job := httpx.get(f"{url}/jobs").json()[0])["state"] != "running":
            time.sleep(0.05)
        job = job["id"]
        begun = threading.Event()

        def follow() -> None:
            with httpx.stream("GET", f"{url}/jobs/{job}/events", timeout=60) as events:
                begun.set()
                events.read()
            answers.append(events)

        streamed = threading.Thread(target=follow)
        streamed.start()
        assert begun.wait(30)
        errors = stop(process, within_s=15)
        trainer.join()
        streamed.join()
    by_status = {answer.status_code: answer for answer in answers}
    assert set(by_status) == {200, 202}, errors
    assert by_status[202].headers["location"] == f"/jobs/{job}"
    assert "event: job" in by_status[200].text
    assert "Traceback" not in errors
    _cancel_left_over(home, job)


def _cancel_left_over(home: Path, job: str) -> None:
    command = [sys.executable, "-m", "loanapp", "jobs", "cancel", job]
    environment = {**os.environ, "LOANAPP_HOME": str(home)}
    subprocess.run(command, env=environment, check=True, capture_output=True)


@pytest.mark.slow
def test_several_workers_serve_the_same_model(home: Path, clients_csv: bytes) -> None:
    with started(home, "api", "--workers", "2") as (url, process):
        answers = [httpx.post(f"{url}/predict", content=clients_csv).json() for _ in range(6)]
        assert {answer["model_version"] for answer in answers} == {"1"}
        assert len({tuple(answer["predictions"]) for answer in answers}) == 1
        assert "Traceback" not in stop(process, within_s=15)


def test_a_taken_port_is_said_and_ends_with_8(home: Path) -> None:
    with started(home, "api") as (url, _):
        port = url.rpartition(":")[2]
        command = [sys.executable, "-m", "loanapp", "api", "--port", port]
        environment = {**os.environ, "LOANAPP_HOME": str(home)}
        second = subprocess.run(
            command, env=environment, cwd=home, capture_output=True, text=True, check=False
        )
    assert second.returncode == 8
    assert port in second.stderr
    assert "Traceback" not in second.stderr


def test_the_app_serves_its_page_and_the_api_in_one_process(home: Path, clients_csv: bytes) -> None:
    with started(home, "serve") as (url, process):
        page = httpx.get(url)
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert "uvicorn" not in page.headers.get("server", "")
        answer = httpx.post(f"{url}/api/predict", files={"file": ("c.csv", clients_csv)})
        assert answer.json()["model_version"] == "1"
        assert "/api/openapi.json" in httpx.get(f"{url}/api/docs").text
        missing = httpx.get(f"{url}/api/jobs/none")
        assert missing.headers["content-type"] == "application/problem+json"
        said = stop(process, within_s=15)
    assert "Traceback" not in said
    assert said.count(missing.headers["x-request-id"]) == 1, "one line an event"
    assert all(" info " in line for line in said.splitlines()[1:]), said


def test_answers_are_not_held_back_for_an_acknowledgement() -> None:
    """Connections send at once only where their listener names its protocol."""
    with listen("127.0.0.1", 0) as listener, socket.socket() as caller:
        assert listener.proto == socket.IPPROTO_TCP
        listener.listen()
        caller.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP


@pytest.mark.slow
def test_mlflow_shows_the_same_store(home: Path) -> None:
    with started(home, "mlflow") as (url, process):
        assert process.poll() is None
        await_mlflow(url)
        found = httpx.get(f"{url}/api/2.0/mlflow/registered-models/get?name=loanapp")
        assert found.json()["registered_model"]["aliases"] == [
            {"alias": "champion", "version": "1"}
        ]
        stop(process, within_s=20)


@pytest.mark.slow
@pytest.mark.soak
def test_mlflow_starts_again_on_its_port_after_it_was_killed(home: Path) -> None:
    with started(home, "mlflow") as (url, process):
        await_mlflow(url)
        (worker,) = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        assert worker.is_running()
        with started(home, "mlflow", port=int(url.rpartition(":")[2])) as (again, second):
            worker.wait(60)
            await_mlflow(again)
            stop(second, within_s=20)


def await_mlflow(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health").text == "OK":
                return
        time.sleep(0.2)
    raise AssertionError(url)

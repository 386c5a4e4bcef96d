"""Several installations on one MLflow server: what one trains, the others serve."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from loanapp.core.answers import TrainingOptions
from loanapp.core.data.samples import sample_csv
from loanapp.core.data.schema import Schema
from loanapp.core.service import Service
from loanapp.core.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.alone]  # it says how soon

FOLLOWS_WITHIN_S = 5.0  # one or two on a machine that does nothing else; with MLflow's import, ten


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """MLflow as `loanapp mlflow` starts it."""
    home = tmp_path / "server"
    home.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "loanapp", "mlflow", "--port", str(port)]
    environment = {**os.environ, "LOANAPP_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, cwd=home, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while True:
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                    break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_what_one_installation_trains_the_other_serves_within_seconds(
    server: str, tmp_path: Path, schema: Schema, make_settings: Callable[..., Settings]
) -> None:
    clients = sample_csv(schema, 20, seed=3, target=False)
    with (
        closing(Service(make_settings(tmp_path / "one", tracking_uri=server))) as one,
        closing(Service(make_settings(tmp_path / "two", tracking_uri=server))) as two,
    ):
        _train(one, sample_csv(schema, 400, seed=1))
        _follows(two, "1")
        amounts = one.predict(io.BytesIO(clients)).amounts.tolist()
        assert two.predict(io.BytesIO(clients)).amounts.tolist() == amounts
        assert not (tmp_path / "two" / "mlflow.db").exists()
        _train(two, sample_csv(schema, 400, seed=2))
        _follows(one, "2")
        two.rollback(author="Camille")
        _follows(one, "1")
        assert one.predict(io.BytesIO(clients)).amounts.tolist() == amounts
        assert [entry.action for entry in one.history()] == ["rollback", "train", "train"]
        assert one.health().status == "ok"


def _train(service: Service, file: bytes) -> None:
    started = service.start_training(io.BytesIO(file), TrainingOptions(), file_name="c.csv")
    *_, ended = service.follow(started.id)
    assert ended.state == "finished", ended.reason


def _follows(service: Service, version: str) -> None:
    began = time.monotonic()
    while service.health().model_version != version:
        assert time.monotonic() < began + FOLLOWS_WITHIN_S, service.health()
        time.sleep(0.02)

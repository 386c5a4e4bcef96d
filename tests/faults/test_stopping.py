"""Servers that are stopped or killed under load: what was accepted is answered."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from tests.load import CLIENTS, Load

pytestmark = [pytest.mark.slow, pytest.mark.soak]

STOPS_WITHIN_S = 30


@contextlib.contextmanager
def api(home, workers):
    """The API as the image starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "loanapp", "api", "--port", str(port)]
    environment = {**os.environ, "LOANAPP_HOME": str(home), "LOANAPP_LOG_LEVEL": "ERROR"}
    process = subprocess.Popen([*command, "--workers", str(workers)], env=environment, cwd=home)
    try:
        _until_ready(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def _until_ready(url):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/ready", timeout=5).status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail("the API is not ready")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_stop_under_load_loses_no_request(home, clients_csv, workers):
    few = b"\n".join(clients_csv.splitlines()[:11]) + b"\n"
    with api(home, workers) as (url, process), Load(url, few) as load:
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        process.wait(STOPS_WITHIN_S)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")
    assert load.lost == []
    assert load.answered > 10 * CLIENTS


def test_any_worker_tells_the_metrics_of_all(home):
    with api(home, 2) as (url, _process):
        for _ in range(40):
            assert httpx.get(f"{url}/schema").status_code == 200
        for _ in range(10):
            lines = httpx.get(f"{url}/metrics").text.splitlines()
            assert 'loanapp_requests_total{method="GET",route="/schema",status="200"} 40.0' in lines
            assert 'loanapp_model_info{version="1"} 1.0' in lines


def test_a_killed_worker_is_replaced_and_none_outlives_its_parent(home):
    with api(home, 2) as (url, process):
        before = _workers(process)
        before[0].kill()
        _eventually(lambda: len(_workers(process)) == 2 and before[0] not in _workers(process))
        assert httpx.get(f"{url}/health").status_code == 200
        left = _workers(process)
        process.kill()
        psutil.wait_procs(left, timeout=5)
        assert not any(worker.is_running() for worker in left)
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", int(url.rpartition(":")[2])))


def test_workers_that_cannot_start_end_the_program(tmp_path):
    command = [sys.executable, "-m", "loanapp", "api", "--port", "0", "--workers", "2"]
    environment = {**os.environ, "LOANAPP_HOME": str(tmp_path), "LOANAPP_SCHEMA": "missing.json"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, check=False, timeout=60)
    assert done.returncode != 0


def _workers(process):
    found = []
    for child in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def _eventually(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

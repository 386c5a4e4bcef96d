"""Promotions to and fro under load: no failed request, no mixed answer, no growing memory."""

import io
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil
import pytest

from loanapp.core.home import Home
from loanapp.core.service import Service
from loanapp.core.store.pointer import ModelUri, Pointer
from loanapp.core.store.promotion import promotion_lock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROMOTIONS, RELOADS = 200, 500


@pytest.fixture
def home(two_versions_home, tmp_path, copying):
    return copying(two_versions_home, tmp_path / "home")


@dataclass(frozen=True)
class Server:
    """An API server in a process of its own."""

    process: subprocess.Popen
    address: str
    client: httpx.Client

    def version(self):
        return self.client.get("/health").json()["model_version"]

    def memory(self):
        return psutil.Process(self.process.pid).memory_info().rss


@pytest.fixture
def start_servers(home, monkeypatch):
    """Start two API servers over one home."""
    started, servers = [], []

    def start(**settings):
        monkeypatch.setenv("LOANAPP_HOME", str(home))
        monkeypatch.setenv("LOANAPP_LOG_LEVEL", "ERROR")
        for name, value in settings.items():
            monkeypatch.setenv(f"LOANAPP_{name.upper()}", value)
        for _ in range(2):
            command = [sys.executable, "-m", "loanapp", "api", "--port", "0"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            started.append(subprocess.Popen(command, **quiet))
        servers.extend(_server(process) for process in started)
        for server in servers:
            _wait(lambda s=server: s.client.get("/ready").status_code == 200)
        return servers

    yield start
    for server in servers:
        server.client.close()
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)


@contextmanager
def under_load(servers, service, few):
    """Ask both servers all the time; gives the versions that answered, and what was wrong."""
    expected, answered, wrong, stop = {}, [], [], threading.Event()
    for version in ("1", "2"):
        service.promote(version)
        expected[version] = service.predict(io.BytesIO(few)).amounts.tolist()

    def ask(address):
        with httpx.Client(base_url=address, timeout=30) as client:
            while not stop.is_set():
                answer = client.post("/predict", content=few, headers={"Content-Type": "text/csv"})
                told = answer.json()
                if answer.status_code != 200:
                    wrong.append(told)
                elif told["predictions"] != expected[told["model_version"]]:
                    wrong.append(told["model_version"])
                answered.append(told.get("model_version"))

    askers = [threading.Thread(target=ask, args=(server.address,)) for server in servers]
    for asker in askers:
        asker.start()
    try:
        yield answered, wrong
    finally:
        stop.set()
        for asker in askers:
            asker.join()


@pytest.fixture
def few(clients_csv):
    """Twenty clients."""
    return b"\n".join(clients_csv.splitlines()[:21]) + b"\n"


def _server(process):
    address = f"http://127.0.0.1:{_port(process)}"
    return Server(process, address, httpx.Client(base_url=address, timeout=30))


def _port(process):
    found = []

    def listening():
        connections = psutil.Process(process.pid).net_connections("tcp")
        found[:] = [c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN]
        return found

    _wait(listening)
    return found[0]


def _wait(condition, limit_s=180):
    deadline = time.monotonic() + limit_s
    while True:
        try:
            if condition():
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_promotions_under_load_fail_no_request_and_mix_no_answer(
    start_servers, home, make_settings, few
):
    servers, service = start_servers(), Service(make_settings(home))
    slowest = slowest_look = 0.0
    with under_load(servers, service, few) as (answered, wrong):
        for number in range(PROMOTIONS):
            version = str(1 + number % 2)
            service.promote(version)
            if number % 20 in (18, 19):  # from either version to the other
                promoted = time.monotonic()
                for server in servers:
                    _wait(lambda s=server, v=version: s.version() == v)
                slowest = max(slowest, time.monotonic() - promoted)
                looked = time.monotonic()
                servers[0].version()
                slowest_look = max(slowest_look, time.monotonic() - looked)
    assert slowest < 2 + 4 * slowest_look  # on a machine too busy to answer it cannot be seen
    assert wrong == []
    assert set(answered) == {"1", "2"}
    history = service.history()
    assert len(history) == 2 + 2 + PROMOTIONS
    assert {entry.action for entry in history} == {"train", "promote"}
    service.close()


@pytest.mark.soak
def test_reloads_under_load_do_not_make_a_server_grow(start_servers, home, make_settings, few):
    servers = start_servers(alias_check_s="3600")
    service, pointer = Service(make_settings(home, alias_check_s=3600)), Pointer(Home(home).pointer)

    def reload(times):
        for number in range(times):
            version = str(1 + number % 2)
            with promotion_lock(Home(home)):
                pointer.write(ModelUri("loanapp", version))
            for server in servers:
                _wait(lambda s=server, v=version: s.version() == v)

    with under_load(servers, service, few) as (answered, wrong):
        reload(50)
        before = [server.memory() for server in servers]
        reload(RELOADS)
        after = [server.memory() for server in servers]
    assert wrong == []
    assert set(answered) == {"1", "2"}
    assert max(now - then for now, then in zip(after, before, strict=True)) < 20_000_000
    service.close()

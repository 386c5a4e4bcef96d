"""Promotions to and fro under load: no failed request, no mixed answer, no growing memory."""

import io
import subprocess
import sys
import threading
import time

import httpx
import psutil
import pytest

from loanapp.core.answers import TrainingOptions
from loanapp.core.data.samples import sample_csv
from loanapp.core.home import Home
from loanapp.core.model.metrics import compare
from loanapp.core.service import Service
from loanapp.core.store.decision import decide
from loanapp.core.store.pointer import ModelUri, Pointer
from loanapp.core.store.promotion import promotion_lock

pytestmark = pytest.mark.slow

PROMOTIONS, RELOADS = 200, 500


@pytest.fixture
def home(two_versions_home, tmp_path, copying):
    return copying(two_versions_home, tmp_path / "home")


@pytest.fixture
def servers(home, monkeypatch):
    """Two API servers over one home."""
    monkeypatch.setenv("LOANAPP_HOME", str(home))
    monkeypatch.setenv("LOANAPP_LOG_LEVEL", "ERROR")
    started = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "loanapp", "api", "--port", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
    addresses = [f"http://127.0.0.1:{_port(p)}" for p in started]
    for address in addresses:
        _wait(lambda a=address: httpx.get(f"{a}/ready").status_code == 200)
    yield addresses
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)


def _port(process):
    found = []

    def listening():
        connections = psutil.Process(process.pid).net_connections("tcp")
        found[:] = [c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN]
        return found

    _wait(listening)
    return found[0]


def _wait(condition, limit_s=60):
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
    servers, home, make_settings, clients_csv
):
    few = b"\n".join(clients_csv.splitlines()[:21]) + b"\n"
    service = Service(make_settings(home))
    expected = {}
    for version in ("1", "2"):
        service.promote(version)
        expected[version] = service.predict(io.BytesIO(few)).amounts.tolist()
    stop, wrong, answered = threading.Event(), [], []

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

    askers = [threading.Thread(target=ask, args=(address,)) for address in servers]
    for asker in askers:
        asker.start()
    for number in range(PROMOTIONS):
        service.promote(str(1 + number % 2))
    last = str(1 + (PROMOTIONS - 1) % 2)
    begun = time.monotonic()
    for address in servers:
        _wait(lambda a=address: httpx.get(f"{a}/health").json()["model_version"] == last, 2)
    assert time.monotonic() - begun < 2
    stop.set()
    for asker in askers:
        asker.join()
    assert wrong == []
    assert set(answered) == {"1", "2"}
    assert len(service.history()) == 2 + 2 + PROMOTIONS
    service.close()


def test_reloads_do_not_make_the_memory_grow(home, make_settings, clients_csv):
    service = Service(make_settings(home, alias_check_s=3600))
    pointer, process = Pointer(Home(home).pointer), psutil.Process()

    def reload(times):
        for number in range(times):
            with promotion_lock(Home(home)):
                pointer.write(ModelUri("loanapp", str(1 + number % 2)))
            service.predict(io.BytesIO(clients_csv))

    reload(50)
    before = process.memory_info().rss
    reload(RELOADS)
    assert process.memory_info().rss - before < 20_000_000
    service.close()


def test_a_challenger_trained_on_shuffled_amounts_is_not_promoted(home, make_settings, schema):
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    from loanapp.core.data.samples import sample_clients

    clients = sample_clients(schema, 400, seed=21)
    place = clients.column_names.index(schema.target.name)
    shuffled = np.random.default_rng(0).permutation(clients[schema.target.name].to_numpy())
    sink = io.BytesIO()
    pa_csv.write_csv(clients.set_column(place, schema.target.name, pa.array(shuffled)), sink)
    service = Service(make_settings(home))
    options = TrainingOptions(promotion="better", seed=3)
    job = service.start_training(io.BytesIO(sink.getvalue()), options)
    *_, ended = service.follow(job.id)
    assert ended.state == "finished", ended.reason
    assert not ended.result.promoted
    assert service.health().model_version == "2"
    service.close()


def test_better_promotes_none_that_is_really_worse_by_more_than_the_margin(schema):
    """Fifty challengers of known quality, judged on held-out samples of a usual size."""
    import numpy as np

    rng = np.random.default_rng(4)
    for _ in range(50):
        actual = rng.normal(20_000, 8_000, 400)
        champion = actual + rng.normal(0, 3_000, 400)
        worse = rng.uniform(1.06, 1.5)
        challenger = actual + rng.normal(0, 3_000 * worse, 400)
        judged = compare(actual, champion, challenger)
        live, _ = decide("better", "1", judged, judged, 2.0)
        assert not live


def test_all_data_trains_on_earlier_files_too_without_double_rows(home, make_settings, schema):
    service = Service(make_settings(home))
    new = sample_csv(schema, 100, seed=31)
    job = service.start_training(io.BytesIO(new), TrainingOptions(data="all", seed=1))
    *_, ended = service.follow(job.id)
    assert ended.state == "finished", ended.reason
    assert ended.result.n_rows == 100 + 400 + 400
    job = service.start_training(io.BytesIO(new), TrainingOptions(data="all", seed=2))
    *_, ended = service.follow(job.id)
    assert ended.result.n_rows == 900
    service.close()

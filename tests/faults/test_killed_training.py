"""A training killed at any moment leaves the champion serving and nothing behind."""

import io
import os
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from loanapp.core.answers import TrainingOptions
from loanapp.core.home import Home
from loanapp.core.service import Service
from loanapp.core.store.pointer import Pointer
from tests.faults.killing import plant

pytestmark = pytest.mark.slow

APPEND = "loanapp.core.jobs:append:after"
PLACES = {
    "read": (APPEND, {"phase": "read"}),
    "fit": (APPEND, {"phase": "fit"}),
    "epoch": (APPEND, {"epoch": "3"}),
    "evaluate": (APPEND, {"phase": "evaluate"}),
    "bundle": ("loanapp.core.model.bundle:save_bundle:after", {}),
    "log": ("loanapp.core.store.tracking:Tracking._log_model:before", {}),
    "register": ("loanapp.core.store.registry:Registry.register:after", {}),
    "install": ("loanapp.core.store.promotion:install_bundle:after", {}),
    "before the alias": ("loanapp.core.store.registry:Registry.set_champion:before", {}),
    "between alias and pointer": ("loanapp.core.store.registry:Registry.set_champion:after", {}),
    "before the preprocessor": ("loanapp.core.store.pointer:write_atomically:before", {}),
    "after the pointer": ("loanapp.core.store.pointer:Pointer.write:after", {}),
}

AFTER_THE_ALIAS = (
    "between alias and pointer",
    "before the preprocessor",
    "after the pointer",
)


def leftovers(home):
    """Give what a killed training left; the server may be removing it while this looks."""
    return [
        Path(folder, name)
        for folder, folders, files in os.walk(home)
        for name in (*folders, *files)
        if name.startswith(".partial-") or (name.endswith(".parquet") and "jobs" in folder)
    ]


def wait_until(condition, limit_s):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("place", PLACES)
def test_the_champion_serves_on_and_the_next_start_finds_order(
    place, home, make_settings, training_csv, clients_csv, tmp_path, monkeypatch
):
    where, condition = PLACES[place]
    service = Service(make_settings(home))
    before = service.predict(io.BytesIO(clients_csv))
    monkeypatch.setenv("PYTHONPATH", plant(tmp_path / "killer", where, **condition))
    job = service.start_training(io.BytesIO(training_csv), TrainingOptions(seed=9))
    wait_until(lambda: not service.job(job.id).active, 120)
    monkeypatch.delenv("PYTHONPATH")
    assert service.job(job.id).state == "interrupted"
    assert Pointer(Home(home).pointer).read() is not None

    registered = "2" if place in AFTER_THE_ALIAS else "1"
    wait_until(lambda: service.health().model_version == registered, 5)
    after = service.predict(io.BytesIO(clients_csv))
    if after.model_version == "1":
        np.testing.assert_array_equal(after.amounts, before.amounts)
    service.close()

    restarted = Service(make_settings(home))
    wait_until(lambda: leftovers(home) == [], 10)
    assert restarted.health().status == "ok"
    assert restarted.health().model_version == registered
    assert restarted.job(job.id).finished_at is not None
    restarted.close()
    assert [
        p for p in psutil.Process().children(recursive=True) if "loanapp.core.worker" in p.cmdline()
    ] == []


def test_after_a_kill_the_next_training_works(
    home, make_settings, training_csv, tmp_path, monkeypatch
):
    service = Service(make_settings(home))
    monkeypatch.setenv("PYTHONPATH", plant(tmp_path / "killer", PLACES["register"][0]))
    first = service.start_training(io.BytesIO(training_csv), TrainingOptions(seed=9))
    wait_until(lambda: not service.job(first.id).active, 120)
    monkeypatch.delenv("PYTHONPATH")
    second = service.start_training(io.BytesIO(training_csv), TrainingOptions(seed=9, force=True))
    *_, ended = service.follow(second.id)
    assert ended.state == "finished", ended.reason
    assert service.health().model_version == ended.result.model_version
    assert leftovers(home) == []
    service.close()


def test_control_a_plain_write_is_torn_by_a_kill(home, tmp_path):
    """Show that the tests above would see a torn pointer: this write is not the product's."""
    pointer = Home(home).pointer
    with pointer.open("w") as file:
        file.write("models:/loan")
        file.flush()
        assert Pointer(pointer).read() is None

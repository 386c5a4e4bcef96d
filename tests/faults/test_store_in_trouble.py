"""A full disk or a locked database: predictions go on, nothing is lost, and it mends by itself."""

import contextlib
import io
import os
import sqlite3
import subprocess
import threading
import time

import pytest

from loanapp.core.answers import TrainingOptions
from loanapp.core.errors import StoreUnavailable
from loanapp.core.service import Service

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 60 MB of the test's own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk):
    with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"\0" * 65536)


def test_a_full_disk_stops_no_prediction_and_loses_nothing(
    small_disk, two_versions_home, copying, make_settings, training_csv, clients_csv
):
    home = copying(two_versions_home, small_disk / "home")
    service = Service(make_settings(home))
    before = service.predict(io.BytesIO(clients_csv))
    job = service.start_training(io.BytesIO(training_csv), TrainingOptions(seed=11))
    fill(small_disk)
    while service.job(job.id).active:
        again = service.predict(io.BytesIO(clients_csv))
        assert (again.amounts == before.amounts).all()
        time.sleep(0.2)
    ended = service.job(job.id)
    assert ended.state == "failed"
    assert ended.reason is not None
    with pytest.raises((StoreUnavailable, OSError)):
        service.promote("1")
    assert service.predict(io.BytesIO(clients_csv)).model_version in ("1", "2")
    (small_disk / "ballast").unlink()
    assert service.promote("1").champion
    assert service.health().status == "ok"
    second = service.start_training(io.BytesIO(training_csv), TrainingOptions(seed=11))
    *_, done = service.follow(second.id)
    assert done.state == "finished", done.reason
    service.close()


def test_a_locked_database_makes_writers_wait_and_nobody_else(
    two_versions_home, tmp_path, copying, make_settings, training_csv, clients_csv
):
    home = copying(two_versions_home, tmp_path / "home")
    service = Service(make_settings(home))
    before = service.predict(io.BytesIO(clients_csv))
    job = service.start_training(io.BytesIO(training_csv), TrainingOptions(seed=12))
    while service.job(job.id).phase in ("start", "read"):
        time.sleep(0.1)
    released = threading.Event()

    def hold():
        with contextlib.closing(sqlite3.connect(home / "mlflow.db", isolation_level=None)) as held:
            held.execute("BEGIN EXCLUSIVE")
            time.sleep(30)
            held.execute("ROLLBACK")
        released.set()

    holder = threading.Thread(target=hold)
    holder.start()
    while not released.is_set():
        again = service.predict(io.BytesIO(clients_csv))
        assert (again.amounts == before.amounts).all()
        time.sleep(0.5)
    holder.join()
    *_, ended = service.follow(job.id)
    assert ended.state == "finished", ended.reason
    assert service.health().model_version == ended.result.model_version
    assert len(service.models()) == 3
    assert len(service.history()) == 3
    service.close()

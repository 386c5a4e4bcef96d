"""A full disk or a locked database: predictions go on, nothing is lost, and it mends by itself."""

import contextlib
import io
import sqlite3
import subprocess
import threading
import time

import pytest

from loanapp.core.answers import TrainingOptions
from loanapp.core.errors import StoreUnavailable
from loanapp.core.service import Service
from tests.faults.traces import leftovers, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 60 MB of the test's own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", disk]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk, name=""):
    """Leave no room, not even for a byte."""
    with (disk / f"ballast{name}").open("wb", buffering=0) as ballast:
        for size in (65_536, 1):
            with contextlib.suppress(OSError):
                while ballast.write(b"\0" * size):
                    pass


def test_a_full_disk_stops_no_prediction_and_loses_nothing(
    small_disk, two_versions_home, copying, make_settings, training, training_csv, clients_csv
):
    home = copying(two_versions_home, small_disk / "home")
    service = Service(make_settings(home))
    before = service.predict(io.BytesIO(clients_csv))
    job_id = training(service)
    fill(small_disk)
    while service.job(job_id).active:
        again = service.predict(io.BytesIO(clients_csv))
        assert (again.amounts == before.amounts).all()
        time.sleep(0.2)
    ended = service.job(job_id)
    assert ended.state == "failed"
    assert "space" in str(ended.reason) or "full" in str(ended.reason)
    fill(small_disk, "more")
    with pytest.raises(StoreUnavailable, match="full"):
        service.promote("1")
    with pytest.raises(StoreUnavailable, match="space"):
        service.start_training(io.BytesIO(training_csv), TrainingOptions())
    assert service.predict(io.BytesIO(clients_csv)).model_version == "2"
    assert [entry.version for entry in service.history()] == ["2", "1"]
    for ballast in small_disk.glob("ballast*"):
        ballast.unlink()
    assert service.promote("1").champion
    wait_until(lambda: service.health().status == "ok", 10)
    assert service.predict(io.BytesIO(clients_csv)).model_version == "1"
    *_, done = service.follow(training(service))
    assert done.state == "finished", done.reason
    assert leftovers(home) == []
    service.close()


def test_a_locked_database_makes_writers_wait_and_nobody_else(
    two_versions_home, tmp_path, copying, make_settings, training, clients_csv
):
    home = copying(two_versions_home, tmp_path / "home")
    service = Service(make_settings(home))
    before = service.predict(io.BytesIO(clients_csv))
    job_id = training(service)
    while service.job(job_id).phase in ("start", "read"):
        time.sleep(0.02)
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
        begun = time.monotonic()
        again = service.predict(io.BytesIO(clients_csv))
        assert time.monotonic() - begun < 2
        assert (again.amounts == before.amounts).all()
        assert service.health().model_version == "2"
        time.sleep(0.5)
    holder.join()
    *_, ended = service.follow(job_id)
    assert ended.state == "finished", ended.reason
    assert service.health().model_version == ended.result.model_version
    assert len(service.models()) == 3
    assert len(service.history()) == 3
    service.close()

"""A training is a job: seen from everywhere, stopped at once, and never half a model."""

import io
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from loanapp.core.answers import TrainingOptions
from loanapp.core.errors import TrainingBusy, TrainingFailed, UnknownJob
from loanapp.core.events import append, fold
from loanapp.core.jobs import Jobs
from loanapp.core.service import Service


def start(service, training_csv, **choices):
    options = TrainingOptions(**{"author": "Camille", "seed": 5, **choices})
    return service.start_training(io.BytesIO(training_csv), options, file_name="clients.csv")


def wait_for(service, job_id, phase, limit_s=90):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        job = service.job(job_id)
        if job.phase == phase or not job.active:
            return job
        time.sleep(0.02)
    raise AssertionError(f"{phase} not reached: {service.job(job_id)}")


def leftovers(home):
    working = (*home.glob("jobs/*/*.parquet"), *home.glob("jobs/*/temporary"))
    return [*home.rglob(".partial-*"), *working]


def test_one_training_at_a_time_is_seen_by_all_and_stops_without_a_trace(
    service, training_csv, settings, clients_csv
):
    before = service.predict(io.BytesIO(clients_csv)).amounts
    job = start(service, training_csv)
    with pytest.raises(TrainingBusy, match="Camille") as busy:
        start(service, training_csv)
    assert busy.value.job_id == job.id
    assert busy.value.retry_after_s >= 1
    another = Service(settings)
    assert another.job(job.id).active
    wait_for(service, job.id, "fit")
    cancelled = another.cancel(job.id)
    assert cancelled.state == "cancelled"
    assert service.job(job.id).state == "cancelled"
    assert leftovers(settings.home) == []
    assert service.cancel(job.id).state == "cancelled"
    assert (service.predict(io.BytesIO(clients_csv)).amounts == before).all()
    another.close()


@pytest.mark.slow
def test_a_killed_training_is_interrupted_and_the_next_one_works(
    service, training_csv, settings, clients_csv
):
    before = service.predict(io.BytesIO(clients_csv))
    job = start(service, training_csv)
    wait_for(service, job.id, "fit")
    os.kill(fold(settings.home / "jobs" / job.id)["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 5
    while service.job(job.id).active and time.monotonic() < deadline:
        time.sleep(0.05)
    assert service.job(job.id).state == "interrupted"
    again = service.predict(io.BytesIO(clients_csv))
    assert (again.amounts == before.amounts).all()
    second = start(service, training_csv, reason="again")
    *_, ended = service.follow(second.id)
    assert ended.state == "finished", ended.reason
    assert ended.result.promoted
    assert service.health().model_version == ended.result.model_version == "2"
    assert "version 1" in str(ended.result.message)
    assert ended.result.comparison.rows > 0
    assert {g.column for g in ended.result.comparison.groups}
    assert leftovers(settings.home) == []
    third = start(service, training_csv, reason="the same once more")
    *_, reused = service.follow(third.id)
    assert reused.result.reused
    assert reused.result.model_version == "2"


def test_progress_tells_every_epoch(trained_home, make_settings):
    service = Service(make_settings(trained_home))
    job = service.jobs()[0]
    assert job.state == "finished"
    assert job.epoch == len(job.losses) == len(job.val_losses) > 0
    assert job.share == 1
    assert job.rows == 400
    service.close()


def test_too_few_rows_are_refused_before_a_process_starts(service, training_csv):
    few = b"\n".join(training_csv.splitlines()[:10])
    with pytest.raises(TrainingFailed, match="at least 20 rows"):
        start(service, few)
    assert len(service.jobs()) == 1


def test_a_job_that_nobody_knows_is_named(service):
    for name in ("20260101", "../models", ""):
        with pytest.raises(UnknownJob):
            service.job(name)


def test_a_torn_last_event_does_not_hide_the_job(settings, service):
    job = service.jobs()[0]
    folder = Jobs(service.home).folder(job.id)
    with (folder / "events.jsonl").open("ab") as events:
        events.write(b'{"state": "fai')
    assert Jobs(service.home).read(job.id) == job
    append(folder, state="failed")
    assert Jobs(service.home).read(job.id).state == "failed"


def test_a_start_clears_up_after_a_training_whose_machine_died(home, make_settings, service):
    ended = Jobs(service.home).folder(service.jobs()[0].id)
    folder = Path(shutil.copytree(ended, ended.with_name("20990101")))
    append(folder, state="running", finished_at=None, pid=2**22 - 1, process_started=1.0)
    (folder / "data.parquet").write_bytes(b"")
    assert service.job(folder.name).state == "interrupted"
    restarted = Service(make_settings(home))
    deadline = time.monotonic() + 10
    while (folder / "data.parquet").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not (folder / "data.parquet").exists()
    assert restarted.job(folder.name).finished_at is not None
    restarted.close()


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"training_memory_limit_mb": 50}, "50 MB"),
        ({"training_time_limit_s": 0.5}, "0.5 seconds"),
    ],
)
def test_a_training_beyond_its_limits_ends_with_the_reason(
    home, make_settings, training_csv, limit, said
):
    service = Service(make_settings(home, **limit))
    job = start(service, training_csv)
    *_, ended = service.follow(job.id)
    assert ended.state == "failed"
    assert said in str(ended.reason)
    service.close()
